package market_test

import (
	"errors"
	"math"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/tapecast/tapecast/charts"
	"github.com/tapecast/tapecast/feed"
	"github.com/tapecast/tapecast/feed/market"
)

func backfill(t *testing.T, m *market.Market, days int) [][]charts.Window {
	t.Helper()
	var out [][]charts.Window
	err := m.Backfill(days, func(symbol int, w []charts.Window) error {
		if symbol != len(out) {
			t.Errorf("symbol %d came at place %d", symbol, len(out))
		}
		out = append(out, slices.Clone(w))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestBackfill(t *testing.T) {
	u := universe(t)
	m := newMarket(t, market.Options{Universe: u, Seed: 3})
	history := backfill(t, m, 5)
	if len(history) != len(u) {
		t.Fatalf("got %d symbols", len(history))
	}
	for i, windows := range history {
		l := &u[i]
		if len(windows) < 7100 || len(windows) > 7200 {
			t.Errorf("%s has %d minutes", l.Symbol, len(windows))
		}
		var total charts.Window
		for k, w := range windows {
			checkWindow(t, l, w)
			if k > 0 && w.Start <= windows[k-1].Start {
				t.Fatalf("%s goes back in time at minute %d", l.Symbol, k)
			}
			if k > 0 && math.Abs(float64(w.Open-windows[k-1].Close)) > float64(l.Price)/100 {
				t.Errorf("%s jumps between minutes %d and %d", l.Symbol, k-1, k)
			}
			total = charts.Rollup(total, w, charts.Day)
		}
		last := windows[len(windows)-1]
		if last.End() != charts.Minute.Floor(start) || last.Close != l.Price {
			t.Errorf("%s ends at %d with %d, want %d with %d", l.Symbol, last.End(), last.Close, charts.Minute.Floor(start), l.Price)
		}
		if swing := math.Log(float64(total.High) / float64(total.Low)); swing < l.Volatility/2 || swing > 30*l.Volatility {
			t.Errorf("%s moves by %.3f in 5 days at a daily volatility of %.3f", l.Symbol, swing, l.Volatility)
		}
	}
}

// checkWindow holds one made-up minute against the rules.
func checkWindow(t *testing.T, l *feed.Listing, w charts.Window) {
	t.Helper()
	ok := w.Synthetic && w.Interval == charts.Minute && w.Start == charts.Minute.Floor(w.Start) &&
		w.First == 0 && w.Seq == 0 && w.Digest == 0 && w.Rev == 0 && w.Next == 0 && w.Count > 0 &&
		w.Low > 0 && w.Low <= min(w.Open, w.Close) && w.High >= max(w.Open, w.Close) &&
		w.Volume > 0 && w.Volume%l.Lot == 0 && w.T0 >= w.Start && w.T0 <= w.TS && w.TS < w.End()
	for _, p := range []feed.Price{w.Open, w.High, w.Low, w.Close} {
		ok = ok && p%l.Tick == 0
	}
	// The mean price lies between low and high.
	turnover := float64(w.Turnover.Hi)*math.Exp2(64) + float64(w.Turnover.Lo)
	price := turnover / float64(w.Volume)
	ok = ok && price > float64(w.Low)*(1-1e-9) && price < float64(w.High)*(1+1e-9)
	if got, err := charts.DecodeWindow(charts.AppendWindow(nil, &w)); err != nil || got != w {
		t.Fatalf("%s: %v: %+v", l.Symbol, err, w)
	}
	if !ok {
		t.Fatalf("%s: bad window %+v", l.Symbol, w)
	}
}

func TestBackfillIsAFunctionOfTheOptions(t *testing.T) {
	fresh := newMarket(t, market.Options{Seed: 3})
	played := newMarket(t, market.Options{Seed: 3})
	played.Advance(start+int64(time.Minute), func(int, *feed.Tick) {})
	want := backfill(t, fresh, 1)
	if !reflect.DeepEqual(want, backfill(t, played, 1)) {
		t.Error("the past depends on the present")
	}
	if reflect.DeepEqual(want, backfill(t, newMarket(t, market.Options{Seed: 4}), 1)) {
		t.Error("another seed has the same past")
	}
}

// TestBackfillResemblesTheLiveMarket compares the traded volume and the moves of
// made-up minutes with live ones.
func TestBackfillResemblesTheLiveMarket(t *testing.T) {
	u := universe(t)[:8]
	m := newMarket(t, market.Options{Universe: u, Seed: 5, Rate: 40})
	past := backfill(t, m, 5)
	volume := make([]float64, len(u))
	const minutes = 600
	m.Advance(start+int64(minutes*time.Minute), func(symbol int, tick *feed.Tick) {
		if tick.Kind == feed.KindTrade {
			volume[symbol] += float64(tick.Size) / minutes
		}
	})
	for i, windows := range past {
		sum := 0.0
		for _, w := range windows {
			sum += float64(w.Volume)
		}
		if ratio := sum / float64(len(windows)) / volume[i]; ratio < 0.5 || ratio > 2 {
			t.Errorf("%s: a made-up minute has %.2f times the volume of a live one", u[i].Symbol, ratio)
		}
	}
}

func TestBackfillQuietSymbolsSkipMinutes(t *testing.T) {
	u := universe(t)
	m := newMarket(t, market.Options{Universe: u, Rate: 1})
	n := 0
	for i, windows := range backfill(t, m, 1) {
		n += len(windows)
		for _, w := range windows {
			checkWindow(t, &u[i], w)
		}
	}
	if n < 500 || n > 30_000 {
		t.Errorf("%d minutes at 20 trades a minute over 60 symbols", n)
	}
}

func TestBackfillEnds(t *testing.T) {
	m := newMarket(t, market.Options{})
	stop := errors.New("stop")
	calls := 0
	if err := m.Backfill(1, func(int, []charts.Window) error { calls++; return stop }); !errors.Is(err, stop) || calls != 1 {
		t.Errorf("got %v after %d calls", err, calls)
	}
	for _, days := range []int{-1, 32} {
		if err := m.Backfill(days, nil); err == nil {
			t.Errorf("%d days were taken", days)
		}
	}
}

func BenchmarkBackfill(b *testing.B) {
	m := newMarket(b, market.Options{})
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		_ = m.Backfill(5, func(_ int, w []charts.Window) error { n += len(w); return nil })
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n), "ns/window")
}
