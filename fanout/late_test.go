package fanout_test

import (
	"slices"
	"testing"
	"time"

	"github.com/tapecast/tapecast/charts"
	"github.com/tapecast/tapecast/fanout"
	"github.com/tapecast/tapecast/fanout/wire"
	"github.com/tapecast/tapecast/feed"
)

// minutes returns the closed minutes of a symbol's trades on the tape, as the bars
// topic has them.
func (t *tape) minutes(symbol string) (closed []charts.Window) {
	b := charts.NewBuilder(charts.Minute)
	for _, r := range t.lanes[t.lane(symbol)] {
		if w, ok := b.Close(r.TS(), r.Offset+1); ok {
			closed = append(closed, w)
		}
		if r.Symbol == symbol && r.Kind == feed.KindTrade {
			b.Add(&r.Tick)
		}
	}
	return closed
}

// TestLateBarsTakeTheirPlace: a node has begun in the middle of the tape, while the
// bars role was down; the minutes before come when that has caught up.
func TestLateBarsTakeTheirPlace(t *testing.T) {
	const minutes, before = 20, 8
	tp := newTape(1, 1, 1)
	end := testStart.Add(minutes * time.Minute).UnixNano()
	for tp.ts < end {
		tp.step(4 * time.Second)
	}
	whole := testStart.Add(before * time.Minute).UnixNano()
	hub, err := fanout.New(fanout.Options{Encoder: wire.JSON{}, From: make(feed.Position, 1), Whole: whole})
	if err != nil {
		t.Fatal(err)
	}
	f := feeder{tape: tp, hub: hub, next: make([]int64, 1)}
	if err := f.all(); err != nil {
		t.Fatal(err)
	}
	sym, want := hub.Directory().Lookup("SYM0"), tp.minutes("SYM0")
	if len(want) != minutes {
		t.Fatalf("the tape has %d minutes with trades, want %d", len(want), minutes)
	}
	closed := func(i charts.Interval) []charts.Window {
		got, _ := sym.Bars(nil, i, 0, end, 100)
		return got
	}
	equalMinutes(t, closed(charts.Minute), want[before:])
	for i, w := range want[:before] {
		late := fanout.Batch{Bars: []fanout.SymbolWindow{{Symbol: "SYM0", Window: w}}}
		if err := hub.Ingest(&late); err != nil {
			t.Fatal(err)
		}
		equalMinutes(t, closed(charts.Minute), slices.Concat(want[:i+1], want[before:]))
	}
	last, _ := sym.LastBars(nil, charts.Minute, end, 100)
	equalMinutes(t, last, want)
	fives := closed(charts.FiveMinutes)
	if len(fives) != minutes/5 || fives[0].First != 1 {
		t.Errorf("%d bars of five minutes from trade %d, want %d from trade 1", len(fives), fives[0].First, minutes/5)
	}
	for _, w := range fives {
		if sum := tp.sum("SYM0", w.First-1, w.Seq); w.Digest != sum.Digest || w.Count != sum.Count || w.Low != sum.Low {
			t.Errorf("five minutes at %d: %+v, the tape has %+v", w.Start, w.Bar, sum)
		}
	}
}

// equalMinutes compares stored windows with built ones.
func equalMinutes(t *testing.T, got, want []charts.Window) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d minutes, want %d", len(got), len(want))
	}
	for i, w := range want {
		w.T0, w.TS = 0, 0 // not kept
		if got[i] != w {
			t.Errorf("minute %d\n got %+v\nwant %+v", i, got[i], w)
		}
	}
}

// trade writes one trade at a time after testStart.
func (t *tape) trade(after time.Duration, seq uint64, p feed.Price) {
	t.ts = testStart.Add(after).UnixNano()
	t.add(0, "SYM0", feed.Record{Kind: feed.KindTrade, Tick: feed.Tick{
		Kind: feed.KindTrade, Seq: seq, TS: t.ts, Price: p, Size: 1, Side: feed.Buy,
	}})
}

// bars returns the bars that a socket got.
func (s *simSocket) bars(t *testing.T) (bars []message) {
	t.Helper()
	messages, _, _, err := splitFrames(s.got)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range messages {
		if m.Type == "bar" {
			bars = append(bars, m)
		}
	}
	return bars
}

// TestLongBarOfAQuietSymbol: a bar of five minutes has trades, but the present
// minute has none when a client begins to watch it.
func TestLongBarOfAQuietSymbol(t *testing.T) {
	f := newFixture(t, 1, 1)
	f.tape.trade(30*time.Second, 1, 100)
	f.tape.ts = testStart.Add(150 * time.Second).UnixNano()
	f.tape.clock()
	f.ingest()
	sym := f.hub.Directory().Lookup("SYM0")
	for _, i := range []charts.Interval{charts.FiveMinutes, charts.Hour, charts.Day} {
		got, open := sym.Bars(nil, i, 0, f.tape.ts+1, 10)
		last, lastOpen := sym.LastBars(nil, i, f.tape.ts+1, 10)
		if len(got) != 1 || !open || got[0].Count != 1 || len(last) != 1 || !lastOpen || last[0] != got[0] {
			t.Errorf("%v: %+v, open %v; last %+v, open %v", i, got, open, last, lastOpen)
		}
	}
	_, socket := f.watch(fanout.Frames, &fanout.Request{Bars: []charts.Interval{charts.FiveMinutes}})
	f.tape.trade(200*time.Second, 2, 90)
	f.tape.trade(301*time.Second, 3, 95)
	f.ingest()
	f.pass()
	bars := socket.bars(t)
	if len(bars) < 2 || bars[0].N != 1 || bars[0].Final {
		t.Fatalf("the client does not begin with the open bar: %+v", bars)
	}
	for _, b := range bars {
		if b.Final && (b.N != 2 || b.O != "1.00" || b.L != "0.90") {
			t.Errorf("final bar %+v", b)
		}
	}
}

// TestLateMinuteOfAnOpenBar: a minute that the history brings late belongs to a bar
// that is open.
func TestLateMinuteOfAnOpenBar(t *testing.T) {
	tp := newTape(1, 1, 1)
	for i := range 5 {
		tp.trade(time.Duration(i)*time.Minute+10*time.Second, uint64(i+1), 100)
	}
	minutes := tp.minutes("SYM0")
	tp.trade(5*time.Minute+time.Second, 6, 100)
	hub, err := fanout.New(fanout.Options{
		Encoder: wire.JSON{}, From: make(feed.Position, 1), Whole: testStart.Add(3 * time.Minute).UnixNano(),
	})
	if err != nil {
		t.Fatal(err)
	}
	f := fixture{t: t, now: testStart, simNode: &simNode{
		feeder: feeder{tape: tp, hub: hub, rand: tp.rand, next: []int64{0}}, shard: hub.Shards()[0],
	}}
	hub.SetClock(func() time.Time { return f.now })
	take := func(b *fanout.Batch) {
		t.Helper()
		if err := hub.Ingest(b); err != nil {
			t.Fatal(err)
		}
		hub.Publish()
	}
	take(f.batch(0, 6)) // up to the trade in the fourth minute
	_, socket := f.watch(fanout.Frames, &fanout.Request{Bars: []charts.Interval{charts.FiveMinutes}})
	for _, w := range minutes[:3] {
		take(&fanout.Batch{Bars: []fanout.SymbolWindow{{Symbol: "SYM0", Window: w}}})
	}
	f.ingest()
	f.pass()
	for _, b := range socket.bars(t) {
		if b.Final && b.N == 5 {
			return
		}
	}
	t.Errorf("no final bar has all five trades: %+v", socket.bars(t))
}
