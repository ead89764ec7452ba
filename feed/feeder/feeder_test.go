package feeder_test

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tapecast/tapecast/charts"
	"github.com/tapecast/tapecast/feed"
	"github.com/tapecast/tapecast/feed/feeder"
)

const lanes = 8

func universe(t testing.TB) feed.Universe {
	t.Helper()
	u, err := feed.DefaultUniverse()
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// play runs a feeder for that long and fails the test if it does not end well.
func play(t *testing.T, o feeder.Options, d time.Duration) {
	t.Helper()
	if err := run(t, o, d); err != nil {
		t.Fatal(err)
	}
}

func run(t *testing.T, o feeder.Options, d time.Duration) error {
	t.Helper()
	if o.Lanes == 0 {
		o.Lanes = lanes
	}
	if o.Universe == nil {
		o.Universe = universe(t)
	}
	f, err := feeder.New(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	return f.Run(ctx)
}

func TestFirstStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := universe(t)
		tape := newTape(lanes)
		reg := prometheus.NewRegistry()
		begun := time.Now().UnixNano()
		var filled []string
		play(t, feeder.Options{
			Tape: tape, Seed: 5, Registerer: reg,
			Bars: func(_ context.Context, symbol string, w []charts.Window) error {
				filled = append(filled, symbol)
				if n := kinds(tape)[feed.KindKeyframe]; n > 0 || len(w) != 7200 || !w[0].Synthetic {
					t.Errorf("%s: %d bars after %d keyframes", symbol, len(w), n)
				}
				return nil
			},
		}, 130*time.Second)
		a := auditTape(t, tape, u)
		a.oneTape()
		if len(filled) != len(u) {
			t.Errorf("back-filled %v", filled)
		}
		if want := []feed.Session{{TS: begun, Tape: a.tapes[0], Seed: 5, Start: begun}}; !slices.Equal(a.sessions, want) {
			t.Errorf("sessions %+v, want %+v", a.sessions, want)
		}
		if got := float64(a.ticks) / 130; got < 1000 || got > 2200 {
			t.Errorf("%.0f ticks/s", got)
		}
		if a.clocks < 1299 || a.clocks > 1301 {
			t.Errorf("%d clocks in 130 s", a.clocks)
		}
		for symbol, s := range a.symbols {
			if s.frames != 3 && s.frames != 4 { // one at once, the next within 60 s, then each 60 s
				t.Errorf("%s has %d keyframes in 130 s", symbol, s.frames)
			}
		}
		if tape.flushes < 12_900 || tape.flushes > 13_010 {
			t.Errorf("%d flushes in 130 s", tape.flushes)
		}
		if got := metric(t, reg, "tapecast_feeder_ticks_total"); got != float64(a.ticks) {
			t.Errorf("the metric says %v ticks, the tape %d", got, a.ticks)
		}
	})
}

func metric(t *testing.T, reg *prometheus.Registry, name string) float64 {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == name {
			return f.GetMetric()[0].GetCounter().GetValue()
		}
	}
	t.Fatalf("no metric %s", name)
	return 0
}

// TestRestarts kills feeders at random moments, many in the middle of a flush
// that reached some lanes only, and holds the whole tape against the contract.
func TestRestarts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rng := rand.New(rand.NewPCG(1, 2))
		tape := newTape(lanes)
		u := universe(t)
		bars := func(context.Context, string, []charts.Window) error { return nil }
		for round := range 40 {
			cut := time.Now().Add(time.Duration(rng.Int64N(int64(4 * time.Second))))
			tape.keep = rng.IntN(lanes + 1)
			killed := errors.New("killed")
			tape.onFlush = func(context.Context) error {
				if time.Now().Before(cut) {
					return nil
				}
				return killed
			}
			err := run(t, feeder.Options{Tape: tape, Universe: u, Seed: 9, Bars: bars}, time.Hour)
			if !errors.Is(err, killed) {
				t.Fatalf("round %d: %v", round, err)
			}
			time.Sleep(time.Duration(rng.Int64N(int64(2 * time.Second))))
			if round > 0 {
				bars = func(_ context.Context, symbol string, _ []charts.Window) error {
					t.Errorf("round %d: back-fill of %s", round, symbol)
					return nil
				}
			}
		}
		a := auditTape(t, tape, u)
		a.oneTape()
		if len(a.sessions) < 20 || a.ticks < 50_000 {
			t.Errorf("%d sessions with %d ticks put nothing to the test", len(a.sessions), a.ticks)
		}
		for symbol, s := range a.symbols {
			price := float64(u[index(u, symbol)].Price)
			for _, q := range s.sessionQuotes {
				if off := math.Abs(float64(q.Price)/price - 1); off > 0.05 {
					t.Errorf("%s begins a session %.1f %% away", symbol, 100*off)
				}
			}
		}
	})
}

func TestPricesGoOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tape := newTape(lanes)
		u := slices.Clone(universe(t))
		play(t, feeder.Options{Tape: tape, Universe: u}, 2*time.Second)
		before := auditTape(t, tape, u)
		for i := range u {
			u[i].Price *= 3 // the tape knows better
		}
		play(t, feeder.Options{Tape: tape, Universe: u}, 2*time.Second)
		for symbol, s := range auditTape(t, tape, u).symbols {
			last, next := before.symbols[symbol].quote, s.sessionQuotes[1]
			if off := math.Abs(float64(next.Price)/float64(last.Price) - 1); off > 0.005 {
				t.Errorf("%s goes on at %d after %d", symbol, next.Price, last.Price)
			}
		}
	})
}

func TestShortOutageIsMadeUpFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tape := newTape(lanes)
		tape.outage(time.Now().Add(3*time.Second), 50*time.Second)
		play(t, feeder.Options{Tape: tape}, 60*time.Second)
		a := auditTape(t, tape, universe(t))
		if len(a.sessions) != 1 || a.longest > 2*time.Second || a.clocks < 599 {
			t.Errorf("%d sessions, %v without a tick on a lane, %d clocks", len(a.sessions), a.longest, a.clocks)
		}
	})
}

func TestLongOutageBeginsANewSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tape := newTape(lanes)
		begun := time.Now()
		tape.outage(begun.Add(3*time.Second), 90*time.Second)
		play(t, feeder.Options{Tape: tape}, 100*time.Second)
		a := auditTape(t, tape, universe(t))
		a.oneTape()
		if len(a.sessions) != 2 || a.sessions[1].Start-a.sessions[0].Start < int64(93*time.Second) || a.longest > 2*time.Second {
			t.Fatalf("sessions %+v, %v without a tick", a.sessions, a.longest)
		}
		for symbol, s := range a.symbols {
			first, next := s.sessionQuotes[0], s.sessionQuotes[1]
			if off := math.Abs(float64(next.Price)/float64(first.Price) - 1); off > 0.01 || s.frames < 2 {
				t.Errorf("%s goes on at %d after %d, with %d keyframes", symbol, next.Price, first.Price, s.frames)
			}
		}
	})
}

func TestClockBehindTheTape(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tape := newTape(lanes)
		ahead := time.Now().Add(10 * time.Second).UnixNano()
		play(t, feeder.Options{Tape: tape, Start: ahead, Duration: time.Second}, time.Hour)
		written := len(tape.lanes[0])

		err := run(t, feeder.Options{Tape: tape}, time.Second)
		want := "feeder: the tape ends at 2000-01-01T00:00:11Z, 10s after this machine's clock: set the clock right, " +
			"or begin a new tape: name another topic or delete this one"
		if err == nil || err.Error() != want {
			t.Errorf("got  %v\nwant %s", err, want)
		}
		if len(tape.lanes[0]) != written {
			t.Error("a refused feeder has written")
		}

		time.Sleep(6 * time.Second) // now the tape is 4 s ahead
		play(t, feeder.Options{Tape: tape}, 6*time.Second)
		a := auditTape(t, tape, universe(t))
		if a.sessions[1].Start != ahead+int64(time.Second) || a.end < a.sessions[1].Start+int64(time.Second) {
			t.Errorf("the session began at %d and came to %d, want %d", a.sessions[1].Start, a.end, ahead+int64(time.Second))
		}
	})
}

func TestFastClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		clock, err := feeder.ParseClock("60x")
		if err != nil {
			t.Fatal(err)
		}
		tape := newTape(lanes)
		begun := time.Now().UnixNano()
		for range 2 { // the second goes on from the end of the first
			play(t, feeder.Options{Tape: tape, Rate: 300, Clock: clock}, 2*time.Second)
		}
		a := auditTape(t, tape, universe(t))
		if length := time.Duration(a.end - begun); length < 238*time.Second || length > 240*time.Second || len(a.sessions) != 2 {
			t.Errorf("%d sessions make %v of market time in 4 s", len(a.sessions), length)
		}
		tape.outage(time.Now().Add(time.Second), 100*time.Second)
		before := a.end
		play(t, feeder.Options{Tape: tape, Rate: 300, Clock: clock}, 102*time.Second)
		a = auditTape(t, tape, universe(t))
		if length := time.Duration(a.end - before); length < 178*time.Second || length > 180*time.Second || len(a.sessions) != 3 {
			t.Errorf("%v of market time in an outage: the market should stand still, but for 60 s", length)
		}
	})
}

// TestFullSpeed plays over midnight, twice.
func TestFullSpeed(t *testing.T) {
	clock, err := feeder.ParseClock("max")
	if err != nil {
		t.Fatal(err)
	}
	start := time.Date(2026, 3, 4, 23, 58, 30, 500, time.UTC).UnixNano()
	var tapes [2]*memoryTape
	for i := range tapes {
		tapes[i] = newTape(lanes)
		play(t, feeder.Options{Tape: tapes[i], Seed: 3, Rate: 300, Clock: clock, Start: start, Duration: 3 * time.Minute}, time.Minute)
	}
	a := auditTape(t, tapes[0], universe(t))
	if a.end != start+int64(3*time.Minute) && a.end < start+int64(3*time.Minute-100*time.Millisecond) {
		t.Errorf("ended at %d", a.end)
	}
	sameTicks(t, tapes[0], tapes[1])
	if a.oneTape() == auditTape(t, tapes[1], universe(t)).oneTape() {
		t.Error("two tapes have the same id")
	}
}

func TestNewSymbolOnAnOldTape(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := universe(t)
		tape := newTape(lanes)
		play(t, feeder.Options{Tape: tape, Universe: u[:30]}, time.Second)
		var filled []string
		play(t, feeder.Options{Tape: tape, Universe: u[:31], Bars: func(_ context.Context, symbol string, _ []charts.Window) error {
			filled = append(filled, symbol)
			return nil
		}}, time.Second)
		if !slices.Equal(filled, []string{u[30].Symbol}) {
			t.Errorf("back-filled %v", filled)
		}
	})
}

func TestFailuresEndRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fenced := errors.New("fenced")
		tape := newTape(lanes)
		tape.onFlush = func(context.Context) error {
			if tape.flushes > 100 {
				return fenced
			}
			return nil
		}
		if err := run(t, feeder.Options{Tape: tape}, time.Minute); !errors.Is(err, fenced) {
			t.Errorf("got %v", err)
		}
		tape = newTape(lanes)
		full := errors.New("disk full")
		err := run(t, feeder.Options{Tape: tape, Bars: func(context.Context, string, []charts.Window) error { return full }}, time.Minute)
		if !errors.Is(err, full) || err.Error() != "feeder: back-fill of AAPL: disk full" {
			t.Errorf("got %v", err)
		}
		// A back-fill that failed is done again.
		again := 0
		play(t, feeder.Options{Tape: tape, Bars: func(context.Context, string, []charts.Window) error { again++; return nil }}, time.Second)
		if auditTape(t, tape, universe(t)).oneTape(); again != 60 {
			t.Errorf("%d symbols were back-filled", again)
		}
		// A broker that never answers: Run ends with its context.
		tape = newTape(lanes)
		tape.onFlush = func(ctx context.Context) error {
			<-ctx.Done()
			return ctx.Err()
		}
		play(t, feeder.Options{Tape: tape}, time.Second)
	})
}

func TestNewRefuses(t *testing.T) {
	u := universe(t)
	reg := prometheus.NewRegistry()
	good := feeder.Options{Tape: newTape(1), Lanes: 1, Universe: u, Registerer: reg}
	if _, err := feeder.New(good); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		o    feeder.Options
		want string
	}{
		{feeder.Options{Duration: -1, Backfill: 32}, "feeder: no tape\n0 lanes: a tape needs at least one\n" +
			"duration -1ns must not be negative\nback-fill of 32 days must be 1 to 31"},
		{feeder.Options{Tape: newTape(1), Lanes: 1}, "feeder: market: the universe is empty"},
		{feeder.Options{Tape: newTape(1), Lanes: 1, Universe: u, Rate: -1}, "feeder: market: rate -1 must be above 0"},
		{feeder.Options{Tape: newTape(1), Lanes: 1, Universe: u, Scenario: "x"}, `feeder: market: scenario "x" is unknown`},
		{good, "feeder: metrics: duplicate metrics collector registration attempted"},
	}
	for _, tt := range tests {
		if _, err := feeder.New(tt.o); err == nil || !strings.HasPrefix(err.Error(), tt.want) {
			t.Errorf("got  %v\nwant %s", err, tt.want)
		}
	}
}

func TestParseClock(t *testing.T) {
	for _, s := range []string{"real", "max", "60x", "0.5x", "100000x"} {
		if c, err := feeder.ParseClock(s); err != nil || c.String() != s {
			t.Errorf("%s: got %v, %v", s, c, err)
		}
	}
	for _, s := range []string{"", "x", "60", "0x", "-1x", "NaNx", "Infx", "100001x", "Real"} {
		_, err := feeder.ParseClock(s)
		if err == nil || !strings.Contains(err.Error(), "must be real, max or a speed as 60x") {
			t.Errorf("%q: got %v", s, err)
		}
	}
}
