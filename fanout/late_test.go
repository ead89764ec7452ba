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
