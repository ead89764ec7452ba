package charts_test

import (
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"

	"github.com/tapecast/tapecast/charts"
	"github.com/tapecast/tapecast/feed"
)

// direct cuts trades into windows of an interval, without Rollup.
func direct(trades []feed.Tick, interval charts.Interval) []charts.Window {
	var windows []charts.Window
	for first := 0; first < len(trades); {
		start := interval.Floor(trades[first].TS)
		next := first
		for next < len(trades) && interval.Floor(trades[next].TS) == start {
			next++
		}
		windows = append(windows, charts.Window{Bar: plain(trades[first:next]), Interval: interval, Start: start})
		first = next
	}
	return windows
}

// rolled rolls windows up to a longer interval.
func rolled(windows []charts.Window, interval charts.Interval) []charts.Window {
	var out []charts.Window
	for _, w := range windows {
		if n := len(out); n > 0 && out[n-1].Start == interval.Floor(w.Start) {
			out[n-1] = charts.Rollup(out[n-1], w, interval)
			continue
		}
		out = append(out, charts.Rollup(charts.Window{}, w, interval))
	}
	return out
}

func TestRollupIsTheDirectWindow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		trades := randomTrades(r, 1, rapid.IntRange(0, 200).Draw(t, "n"))
		for _, short := range charts.Intervals() {
			for _, long := range charts.Intervals() {
				if long < short {
					continue
				}
				got, want := rolled(direct(trades, short), long), direct(trades, long)
				if len(got) != len(want) {
					t.Fatalf("%s of %s: %d windows, want %d", long, short, len(got), len(want))
				}
				for i := range got {
					if got[i] != want[i] {
						t.Fatalf("%s of %s\n got %+v\nwant %+v", long, short, got[i], want[i])
					}
				}
			}
		}
	})
}

func minute(i int, bar charts.Bar) charts.Window {
	return charts.Window{Bar: bar, Interval: charts.Minute, Start: instant + int64(i)*int64(charts.Minute)}
}

func TestRollupKeepsWhatIsNotMerged(t *testing.T) {
	madeUp := minute(0, charts.Bar{Count: 3, T0: instant, TS: instant + 1, Open: 5, High: 5, Low: 5, Close: 5})
	madeUp.Synthetic = true
	alsoMadeUp := madeUp
	alsoMadeUp.Start += int64(charts.Minute)
	live := minute(2, charts.Bar{First: 1, Seq: 4, Count: 4, Open: 6, High: 6, Low: 6, Close: 6})
	live.Next, live.Rev = 77, 2
	later := minute(3, charts.Bar{First: 5, Seq: 5, Count: 1, Open: 7, High: 7, Low: 7, Close: 7})
	later.Next = 99

	w := charts.Rollup(charts.Window{}, madeUp, charts.FiveMinutes)
	w = charts.Rollup(w, alsoMadeUp, charts.FiveMinutes)
	if !w.Synthetic || w.Start != instant || w.Interval != charts.FiveMinutes || w.First != 0 || w.Count != 6 {
		t.Errorf("made up of made up: %+v", w)
	}
	w = charts.Rollup(w, live, charts.FiveMinutes)
	w = charts.Rollup(w, later, charts.FiveMinutes)
	if w.Synthetic {
		t.Error("a window with real trades is no made up one")
	}
	if w.First != 1 || w.Seq != 5 || w.Count != 11 {
		t.Errorf("covers %d..%d with %d trades, want 1..5 with 11", w.First, w.Seq, w.Count)
	}
	if w.Rev != 2 || w.Next != 99 {
		t.Errorf("rev %d and next %d, want 2 and 99", w.Rev, w.Next)
	}
	if w.Open != 5 || w.Close != 7 || w.End() != instant+int64(charts.FiveMinutes) {
		t.Errorf("rolled up: %+v", w)
	}
}

// TestExtendAndEnded follows one open window: a made up one that goes on with real
// trades, a trade against the promise of the tape, and the next.
func TestExtendAndEnded(t *testing.T) {
	day := charts.Day.Floor(instant)
	w := charts.Window{Interval: charts.Day, Start: day, Synthetic: true, Bar: charts.Bar{Count: 3, Open: 5, High: 5, Low: 5, Close: 5}}
	trade := func(seq uint64, ts int64) {
		w.Extend(charts.Day, &feed.Tick{Kind: feed.KindTrade, Seq: seq, TS: ts, Price: 6, Size: 1})
	}
	trade(1, instant)
	if w.Synthetic || w.Count != 4 || w.Start != day || w.Open != 5 || w.Close != 6 {
		t.Errorf("a made up window with a trade: %+v", w)
	}
	trade(2, day-1)
	trade(3, w.End()-1)
	if w.Start != day || w.Count != 6 || w.Ended(w.End()-1) || !w.Ended(w.End()) {
		t.Errorf("with an early and the last trade: %+v", w)
	}
	trade(4, w.End())
	if w.Start != day+int64(charts.Day) || w.Interval != charts.Day || w.Count != 1 || w.First != 4 {
		t.Errorf("the next: %+v", w)
	}
	if none := (charts.Window{}); none.Ended(instant) {
		t.Error("a window without trades has ended")
	}
}

func TestNewer(t *testing.T) {
	at := func(rev uint32, seq uint64) *charts.Window {
		return &charts.Window{Rev: rev, Bar: charts.Bar{Seq: seq}}
	}
	for _, c := range []struct {
		w, old *charts.Window
		want   bool
	}{
		{at(0, 5), at(0, 5), false},
		{at(0, 6), at(0, 5), true},
		{at(0, 5), at(0, 6), false},
		{at(1, 5), at(0, 6), true},
		{at(0, 6), at(1, 5), false},
	} {
		if got := c.w.Newer(c.old); got != c.want {
			t.Errorf("(%d, %d) newer than (%d, %d): %v", c.w.Rev, c.w.Seq, c.old.Rev, c.old.Seq, got)
		}
	}
}
