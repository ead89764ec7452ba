package keeper_test

import (
	"context"
	"errors"
	"maps"
	"math/rand/v2"
	"strconv"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"pgregory.net/rapid"

	"github.com/tapecast/tapecast/charts"
	"github.com/tapecast/tapecast/charts/keeper"
	"github.com/tapecast/tapecast/feed"
)

// randomLanes returns a broker with lanes and the history that belongs to them.
func randomLanes(r *rand.Rand, lanes, n int) (*broker, map[string]charts.Window) {
	var all [][]keeper.Record
	want := map[string]charts.Window{}
	for lane := range lanes {
		p := randomTape(r, lane, n)
		all = append(all, p.records)
		maps.Copy(want, startsWhole(reference(lane, p.records), firstTime(p.records)))
	}
	return newBroker(all...), want
}

func firstTime(records []keeper.Record) int64 {
	for _, r := range records {
		var record feed.Record
		if feed.Decode(r.Value, &record) == nil {
			return record.TS()
		}
	}
	return 0
}

func compare(t interface{ Fatalf(string, ...any) }, b *broker, want map[string]charts.Window) {
	got, err := b.history()
	if err != nil {
		t.Fatalf("%v", err)
	}
	for id, w := range want {
		if got[id] != w {
			t.Fatalf("%s\n got %+v\nwant %+v", id, got[id], w)
		}
	}
	for id, w := range got {
		if _, ok := want[id]; !ok {
			t.Fatalf("%s is not to be there: %+v", id, w)
		}
	}
}

func TestKeeperWritesTheDirectBars(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		b, want := randomLanes(r, 3, rapid.IntRange(1, 300).Draw(t, "n"))
		if err := b.run(-1); err != nil {
			t.Fatal(err)
		}
		compare(t, b, want)
		if len(b.bars) != len(want) {
			t.Fatalf("%d records for %d bars", len(b.bars), len(want))
		}
	})
}

// TestKilledAtAnyStep kills a keeper at every step it can die at, and lets
// another one go on.
func TestKilledAtAnyStep(t *testing.T) {
	for killAt := 0; ; killAt++ {
		b, want := randomLanes(rand.New(rand.NewPCG(9, 9)), 2, 250)
		died := b.run(killAt)
		if died != nil && !errors.Is(died, errKilled) {
			t.Fatal(died)
		}
		if err := b.run(-1); err != nil {
			t.Fatal(err)
		}
		compare(t, b, want)
		if died == nil {
			if killAt < 20 || len(want) < 10 {
				t.Fatalf("only %d steps and %d bars: nothing was tested", killAt, len(want))
			}
			return
		}
	}
}

// TestKilledAgainAndAgain: a keeper that never lives long gets through all the same.
func TestKilledAgainAndAgain(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		b, want := randomLanes(r, 2, 300)
		for range 10 {
			if err := b.run(r.IntN(60)); err != nil && !errors.Is(err, errKilled) {
				t.Fatal(err)
			}
		}
		if err := b.run(-1); err != nil {
			t.Fatal(err)
		}
		compare(t, b, want)
	})
}

// TestCommitIsTheOldestOpenBar: what is committed is the first trade of the
// minute that is open, and never more than what is safe.
func TestCommitIsTheOldestOpenBar(t *testing.T) {
	p := newTape(instant)
	p.trade("A")
	p.trade("B")
	p.ts += minute
	p.clock() // offset 2 ends the minute
	p.ts++
	p.quote("A")
	p.trade("B") // offset 4, the first trade of the next
	p.trade("A")
	p.ts += minute
	p.clock() // offset 6 ends it, nothing is open
	b := newBroker(p.records[:6])
	if err := b.run(-1); err != nil {
		t.Fatal(err)
	}
	// Batches are of random sizes: the commit came with offset 2, 3, or later.
	if c := b.committed[0]; c != 2 && c != 3 && c != 4 {
		t.Errorf("committed %d with the second minute open", c)
	}
	b.lanes[0] = p.records
	if err := b.run(-1); err != nil {
		t.Fatal(err)
	}
	if b.committed[0] != 6 {
		t.Errorf("committed %d with nothing open, want 6", b.committed[0])
	}
	compare(t, b, reference(0, p.records))
}

func TestCommitsMayFail(t *testing.T) {
	b, want := randomLanes(rand.New(rand.NewPCG(4, 4)), 2, 200)
	b.refuse = true
	for range 2 {
		if err := b.run(-1); err != nil {
			t.Fatal(err)
		}
	}
	compare(t, b, want)
	if len(b.bars) != 2*len(want) {
		t.Errorf("%d records, want each of %d bars twice", len(b.bars), len(want))
	}
}

// TestPartialMinutesAreSkipped: where the beginning of a minute is gone, only a
// bar with the symbol's first trade is whole.
func TestPartialMinutesAreSkipped(t *testing.T) {
	p := newTape(instant)
	for range 3 {
		for range 5 {
			p.trade("OLD")
		}
		p.ts += minute
	}
	p.trade("NEW")
	p.trade("OLD")
	p.ts += minute
	p.clock()

	t.Run("without a commit", func(t *testing.T) {
		b := newBroker(p.records[2:])
		if err := b.run(-1); err != nil {
			t.Fatal(err)
		}
		want := reference(0, p.records)
		delete(want, id("OLD", 0))
		compare(t, b, want)
	})
	t.Run("in the minute of a first trade", func(t *testing.T) {
		b := newBroker(p.records[15:])
		if err := b.run(-1); err != nil {
			t.Fatal(err)
		}
		want := reference(0, p.records)
		compare(t, b, map[string]charts.Window{id("NEW", 3): want[id("NEW", 3)]})
	})
	t.Run("behind a commit", func(t *testing.T) {
		b := newBroker(p.records[7:])
		b.committed[0] = 5
		if err := b.run(-1); err != nil {
			t.Fatal(err)
		}
		want := reference(0, p.records)
		delete(want, id("OLD", 0))
		delete(want, id("OLD", 1))
		compare(t, b, want)
	})
	t.Run("at a commit", func(t *testing.T) {
		b := newBroker(p.records[5:])
		b.committed[0] = 5
		if err := b.run(-1); err != nil {
			t.Fatal(err)
		}
		want := reference(0, p.records)
		delete(want, id("OLD", 0))
		compare(t, b, want)
	})
	t.Run("while reading", func(t *testing.T) {
		b := newBroker(append(append([]keeper.Record{}, p.records[:3]...), p.records[7:]...))
		if err := b.run(-1); err != nil {
			t.Fatal(err)
		}
		want := reference(0, p.records)
		delete(want, id("OLD", 0))
		delete(want, id("OLD", 1))
		compare(t, b, want)
	})
}

func id(symbol string, i int64) string {
	return "0/" + symbol + "/" + strconv.FormatInt(instant+i*minute, 10)
}

// TestAnotherTape: seqs begin anew with the tape, whether the lane has shrunk or
// goes on with another tape's records.
func TestAnotherTape(t *testing.T) {
	old := newTape(instant + 10*minute)
	old.clock()
	old.trade("A")
	old.trade("A")
	old.ts += minute
	old.trade("A")
	fresh := newTape(instant) // an earlier time
	fresh.id = 2
	fresh.clock()
	fresh.trade("A")
	fresh.ts += minute
	fresh.trade("A")
	fresh.ts += minute
	fresh.clock()
	want := reference(0, old.records)
	maps.Copy(want, reference(0, fresh.records))

	t.Run("the lane has shrunk", func(t *testing.T) {
		b := newBroker(old.records)
		b.replace = fresh.records
		if err := b.run(-1); err != nil {
			t.Fatal(err)
		}
		compare(t, b, want)
	})
	t.Run("the lane goes on", func(t *testing.T) {
		joined := append([]keeper.Record{}, old.records...)
		for _, r := range fresh.records {
			r.Offset += int64(len(old.records))
			joined = append(joined, r)
		}
		shifted := maps.Clone(want)
		for id, w := range shifted {
			if w.Start < instant+10*minute {
				w.Next += int64(len(old.records))
				shifted[id] = w
			}
		}
		b := newBroker(joined)
		if err := b.run(-1); err != nil {
			t.Fatal(err)
		}
		compare(t, b, shifted)
	})
}

func TestMetrics(t *testing.T) {
	p := newTape(instant)
	p.trade("A")
	p.trade("A")
	again := p.records[0]
	p.write("A", again.Value)
	p.seqs["A"] += 3
	p.trade("A")
	p.write("A", []byte("garbage"))
	p.write("not a symbol", again.Value)
	p.ts += minute
	p.trade("B") // in the next minute, whole
	p.ts += minute
	p.clock()
	reg := prometheus.NewRegistry()
	b := newBroker(p.records)
	k, err := keeper.New(keeper.Options{Group: b, Sink: b, Registerer: reg})
	if err != nil {
		t.Fatal(err)
	}
	if err := k.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, f := range families {
		got[f.GetName()] = f.GetMetric()[0].GetCounter().GetValue()
	}
	want := map[string]float64{
		"tapecast_keeper_bars_total": 2, "tapecast_keeper_trades_total": 4, "tapecast_keeper_skipped_bars_total": 0,
		"tapecast_keeper_repeats_total": 1, "tapecast_keeper_missing_trades_total": 3, "tapecast_keeper_poison_total": 2,
		"tapecast_keeper_commit_failures_total": 0,
	}
	if !maps.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	if _, err := keeper.New(keeper.Options{Group: b, Sink: b, Registerer: reg}); err == nil {
		t.Error("a second keeper of the same registry is taken")
	}
}

func TestNewRefuses(t *testing.T) {
	b := newBroker()
	for _, o := range []keeper.Options{{}, {Group: b}, {Sink: b}} {
		if _, err := keeper.New(o); err == nil {
			t.Errorf("%+v is taken", o)
		}
	}
}

// TestEndsWithItsContext: no bar is written once the lane is taken away.
func TestEndsWithItsContext(t *testing.T) {
	b, _ := randomLanes(rand.New(rand.NewPCG(4, 4)), 2, 200)
	k, err := keeper.New(keeper.Options{Group: b, Sink: b})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := k.Run(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Run: %v", err)
	}
	if len(b.bars) > 0 {
		t.Errorf("%d bars were written", len(b.bars))
	}
}
