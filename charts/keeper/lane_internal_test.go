package keeper

import (
	"fmt"
	"log/slog"
	"testing"

	"github.com/tapecast/tapecast/feed"
)

// busyLane returns a lane and the record of the next trade of one of its eight
// symbols; the record is the lane's until the next call.
func busyLane(tb testing.TB) (*lane, func() *Record) {
	m, err := newMetrics(nil)
	if err != nil {
		tb.Fatal(err)
	}
	l := newLane(0, slog.New(slog.DiscardHandler), m)
	var keys [8][]byte
	for i := range keys {
		keys[i] = fmt.Appendf(nil, "SYM%d", i)
	}
	t := feed.Tick{Kind: feed.KindTrade, TS: 1763994600000000000, Price: 18900, Size: 100}
	r := &Record{Offset: -1}
	return l, func() *Record {
		r.Offset++
		r.Key = keys[r.Offset%8]
		t.Seq = uint64(r.Offset/8 + 1)
		t.TS += 5_000_000 // 200 a second
		r.Value = feed.AppendTick(r.Value[:0], &t)
		return r
	}
}

func TestReadDoesNotAllocate(t *testing.T) {
	l, next := busyLane(t)
	read := func() {
		for range 200 * 120 { // two minutes, with windows closed
			l.read(next())
		}
		l.closed, l.turned = l.closed[:0], false
	}
	read()
	if n := testing.AllocsPerRun(2, read); n != 0 {
		t.Errorf("two minutes allocate %v times", n)
	}
}

func BenchmarkRead(b *testing.B) {
	l, next := busyLane(b)
	b.ReportAllocs()
	for b.Loop() {
		l.read(next())
		if len(l.closed) > 1000 {
			l.closed = l.closed[:0]
		}
	}
}
