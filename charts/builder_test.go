package charts_test

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/tapecast/tapecast/charts"
	"github.com/tapecast/tapecast/feed"
)

// TestBuilderMakesTheDirectWindows feeds a lane of the symbol's trades and of
// records of others, which only carry time.
func TestBuilderMakesTheDirectWindows(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		trades := randomTrades(r, 1, rapid.IntRange(0, 100).Draw(t, "n"))
		interval := rapid.SampledFrom(charts.Intervals()).Draw(t, "interval")
		b := charts.NewBuilder(interval)
		var got []charts.Window
		offset := int64(0)
		mark := func(ts int64) {
			offset++
			if w, ok := b.Close(ts, offset); ok {
				if w.Next != offset || ts < w.End() {
					t.Fatalf("closed by %d at offset %d: %+v", ts, offset, w)
				}
				w.Next = 0
				got = append(got, w)
			}
		}
		laneTime := instant
		for i := range trades {
			for range r.IntN(3) {
				laneTime += r.Int64N(trades[i].TS - laneTime + 1)
				mark(laneTime)
			}
			laneTime = trades[i].TS
			mark(laneTime)
			b.Add(&trades[i])
		}
		mark(laneTime + int64(interval))
		if want := direct(trades, interval); !slices.Equal(got, want) {
			t.Fatalf("%s\n got %+v\nwant %+v", interval, got, want)
		}
		if w, open := b.Open(); open {
			t.Fatalf("still open: %+v", w)
		}
	})
}

func TestBuilderEdges(t *testing.T) {
	b := charts.NewBuilder(charts.Minute)
	if w, ok := b.Close(instant, 1); ok {
		t.Fatalf("a window without trades was closed: %+v", w)
	}
	end := instant + int64(time.Minute)
	last := feed.Tick{Kind: feed.KindTrade, Seq: 1, TS: end - 1, Price: 5, Size: 1}
	b.Add(&last)
	if w, ok := b.Close(end-1, 2); ok {
		t.Fatalf("closed 1 ns early: %+v", w)
	}
	if w, ok := b.Open(); !ok || w.Start != instant || w.Seq != 1 || w.Next != 0 {
		t.Fatalf("open: %+v, %v", w, ok)
	}
	if w, ok := b.Close(end, 3); !ok || w.Start != instant || w.Next != 3 {
		t.Fatalf("closed: %+v, %v", w, ok)
	}
	if w, ok := b.Close(end+1, 4); ok {
		t.Fatalf("closed twice: %+v", w)
	}
	next := feed.Tick{Kind: feed.KindTrade, Seq: 2, TS: end, Price: 6, Size: 1}
	b.Add(&next)
	if w, ok := b.Open(); !ok || w.Start != end || w.First != 2 || w.Count != 1 {
		t.Fatalf("the next: %+v, %v", w, ok)
	}
}

// TestBuilderReopens: a window that wall time closed goes on when its trades come
// after all, and its second form supersedes the first.
func TestBuilderReopens(t *testing.T) {
	b := charts.NewBuilder(charts.Second)
	trades := randomTrades(rand.New(rand.NewPCG(1, 1)), 1, 3)
	for i := range trades {
		trades[i].TS = instant + int64(i)
	}
	b.Add(&trades[0])
	early, ok := b.Close(instant+int64(time.Second), 10)
	if !ok {
		t.Fatal("not closed")
	}
	b.Add(&trades[1])
	trades[2].TS = instant - int64(time.Hour) // against the promise of the tape
	b.Add(&trades[2])
	again, ok := b.Close(instant+int64(time.Second), 20)
	if !ok || again.Start != early.Start || again.Bar != plain(trades) {
		t.Errorf("closed again: %+v, %v", again, ok)
	}
	if !again.Newer(&early) {
		t.Error("the first form is not superseded")
	}
}

func TestBuilderDoesNotAllocate(t *testing.T) {
	b := charts.NewBuilder(charts.Second)
	trade := randomTrades(rand.New(rand.NewPCG(1, 1)), 1, 1)[0]
	if n := testing.AllocsPerRun(100, func() {
		trade.TS += int64(time.Second)
		b.Close(trade.TS, 1)
		b.Add(&trade)
	}); n != 0 {
		t.Errorf("a window allocates %v times", n)
	}
}

func BenchmarkBuilder(b *testing.B) {
	w := charts.NewBuilder(charts.Second)
	trade := randomTrades(rand.New(rand.NewPCG(1, 1)), 1, 1)[0]
	b.ReportAllocs()
	for b.Loop() {
		trade.TS += int64(time.Millisecond)
		w.Close(trade.TS, 1)
		w.Add(&trade)
	}
}
