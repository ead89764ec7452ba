package feeder_test

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tapecast/tapecast/charts"
	"github.com/tapecast/tapecast/feed"
	"github.com/tapecast/tapecast/feed/feeder"
)

// writeTick puts a tick on the tape as another writer would.
func (m *memoryTape) writeTick(symbol string, t feed.Tick) {
	lane := feed.Lane(symbol, len(m.lanes))
	m.lanes[lane] = append(m.lanes[lane], record{ts: t.TS, key: symbol, value: feed.AppendTick(nil, &t)})
}

// lastKeyframe returns the newest keyframe of a symbol.
func (m *memoryTape) lastKeyframe(t *testing.T, symbol string) *feed.Keyframe {
	t.Helper()
	var last *feed.Keyframe
	for _, r := range m.lanes[feed.Lane(symbol, len(m.lanes))] {
		var d feed.Record
		if r.key == symbol && feed.Decode(r.value, &d) == nil && d.Kind == feed.KindKeyframe {
			last = d.Keyframe
		}
	}
	if last == nil {
		t.Fatalf("no keyframe of %s", symbol)
	}
	return last
}

// TestTakeUp begins on a tape that holds what the market does not make:
// statuses, corrections, repeats and rubbish.
func TestTakeUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tape, u := newTape(lanes), universe(t)
		play(t, feeder.Options{Tape: tape, Universe: u}, 3*time.Second)
		synctest.Wait()
		now := time.Now().UnixNano()
		const symbol = "AAPL"
		s := auditTape(t, tape, u).symbols[symbol]

		halt := feed.Tick{Kind: feed.KindStatus, Seq: 1, TS: now, Note: &feed.Note{State: feed.Halted, Reason: "news"}}
		fix := feed.Tick{Kind: feed.KindCorrection, Seq: 2, TS: now, Note: &feed.Note{Ref: 1, NewPrice: 5}}
		trade := s.trade
		trade.Seq, trade.Price, trade.TS = trade.Seq+1, 2*trade.Price, now
		for _, tick := range []feed.Tick{halt, fix, trade, s.trade, s.quote} { // the last two again
			tape.writeTick(symbol, tick)
		}
		lane := feed.Lane(symbol, lanes)
		for _, rubbish := range []string{"", "\xff", "\x11"} {
			tape.lanes[lane] = append(tape.lanes[lane], record{ts: now, key: symbol, value: []byte(rubbish)})
		}
		day := s.day
		day.Add(&trade)

		reg := prometheus.NewRegistry()
		play(t, feeder.Options{Tape: tape, Universe: u, Registerer: reg}, time.Millisecond)
		k := tape.lastKeyframe(t, symbol)
		if k.NoteSeq != 2 || k.Status.Seq != 1 || k.Status.Note.Reason != "news" || k.Trade != trade || k.Quote != s.quote {
			t.Errorf("took up %+v", *k)
		}
		got, err := charts.DecodeWindow(k.Day)
		if want := (charts.Window{Bar: day, Interval: charts.Day, Start: charts.Day.Floor(now)}); err != nil || got != want {
			t.Errorf("took up day %+v, %v\nwant %+v", got, err, want)
		}
		if got := metric(t, reg, "tapecast_feeder_poison_total"); got != 3 {
			t.Errorf("counted %v bad records", got)
		}
		// A second restart finds the status in the keyframe.
		play(t, feeder.Options{Tape: tape, Universe: u}, time.Millisecond)
		if k := tape.lastKeyframe(t, symbol); k.NoteSeq != 2 || k.Status.Seq != 1 {
			t.Errorf("took up %+v", *k)
		}
	})
}

func TestYesterdaysBarIsNotTakenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tape := newTape(lanes)
		play(t, feeder.Options{Tape: tape}, 3*time.Second)
		time.Sleep(24 * time.Hour)
		play(t, feeder.Options{Tape: tape}, time.Second)
		for symbol, s := range auditTape(t, tape, universe(t)).symbols {
			if s.frames < 2 {
				t.Errorf("%s has %d keyframes", symbol, s.frames)
			}
		}
	})
}

func TestChangedScalesAreRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tape, u := newTape(lanes), universe(t)
		play(t, feeder.Options{Tape: tape, Universe: u}, time.Second)
		u[1].Decimals, u[2].Scale = 4, 3
		err := run(t, feeder.Options{Tape: tape, Universe: u}, time.Second)
		want := "feeder: MSFT has 2 and 0 decimals of price and size on the tape, 4 and 0 in the universe; begin a new tape to change them\n" +
			"NVDA has 2 and 0 decimals of price and size on the tape, 2 and 3 in the universe; begin a new tape to change them"
		if err == nil || err.Error() != want {
			t.Errorf("got  %v\nwant %s", err, want)
		}
	})
}

// TestTornTape takes a lane's keyframes away, as retention can.
func TestTornTape(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tape, u := newTape(lanes), universe(t)
		play(t, feeder.Options{Tape: tape, Universe: u}, 10*time.Second)
		old := auditTape(t, tape, u)
		for lane := range tape.lanes {
			tape.lanes[lane] = tape.lanes[lane][len(tape.lanes[lane])-20:]
		}
		play(t, feeder.Options{Tape: tape, Universe: u}, time.Millisecond)
		if k := tape.lastKeyframe(t, "AAPL"); k.Tape == old.oneTape() || k.Tape == 0 {
			t.Errorf("the tape's id is %v, was %v", k.Tape, old.oneTape())
		}
		// From then on all is well.
		id := tape.lastKeyframe(t, "AAPL").Tape
		play(t, feeder.Options{Tape: tape, Universe: u}, time.Second)
		if k := tape.lastKeyframe(t, "NKE"); k.Tape != id {
			t.Errorf("the tape's id is %v, was %v", k.Tape, id)
		}
	})
}

// nowhere is a tape that takes everything.
type nowhere struct{ records, bytes int }

func (n *nowhere) Append(_ int, _ int64, key, value []byte) {
	n.records++
	n.bytes += len(key) + len(value)
}
func (n *nowhere) Flush(context.Context) error { return nil }
func (n *nowhere) Tails(context.Context, func(int, int64, []byte, []byte) error, func() bool) error {
	return nil
}

// BenchmarkFeeder is what a tick costs the feeder from the market to the
// writer's buffer, with its part in clocks, keyframes and turns.
func BenchmarkFeeder(b *testing.B) {
	clock, err := feeder.ParseClock("max")
	if err != nil {
		b.Fatal(err)
	}
	const length = 10 * time.Minute
	var tape nowhere
	b.ReportAllocs()
	for b.Loop() {
		f, err := feeder.New(feeder.Options{
			Tape: &tape, Lanes: lanes, Universe: universe(b), Clock: clock, Start: 1e18, Duration: length,
			Log: slog.New(slog.DiscardHandler),
		})
		if err != nil {
			b.Fatal(err)
		}
		if err := f.Run(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(tape.records), "ns/record")
	b.ReportMetric(float64(tape.bytes)/float64(tape.records), "B/record")
	b.ReportMetric(float64(length)*float64(b.N)/float64(b.Elapsed()), "x-real-time")
}

// TestLogSpeaksPlainly keeps an eye on what an operator reads at start.
func TestLogSpeaksPlainly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out strings.Builder
		log := slog.New(slog.NewTextHandler(&out, nil))
		play(t, feeder.Options{Tape: newTape(lanes), Seed: 7, Log: log}, time.Second)
		for _, want := range []string{`msg="a session begins"`, "seed=7", "market_time=2000-01-01T00:00:00.000Z", "clock=real", "symbols=60"} {
			if !strings.Contains(out.String(), want) {
				t.Errorf("the log lacks %q: %s", want, out.String())
			}
		}
	})
}

// TestOldFeederIsStillAlive lets an older feeder write once more between the new
// one's look at the tape's end and its session: what it wrote counts.
func TestOldFeederIsStillAlive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tape, u := newTape(lanes), universe(t)
		play(t, feeder.Options{Tape: tape, Universe: u}, 2*time.Second)
		last := auditTape(t, tape, u).symbols["AAPL"]
		trade, quote := last.trade, last.quote
		trade.Seq, trade.TS = trade.Seq+1, time.Now().Add(30*time.Millisecond).UnixNano() // its clock is fast
		quote.Seq, quote.TS = quote.Seq+1, trade.TS
		flushed := false
		tape.onFlush = func(context.Context) error {
			if !flushed {
				flushed = true
				tape.writeTick("AAPL", trade)
				tape.writeTick("AAPL", quote)
			}
			return nil
		}
		play(t, feeder.Options{Tape: tape, Universe: u}, 2*time.Second)
		// The session's own record is some ms late: readers go by the newest time.
		a := audit{t: t, u: u, late: true}
		a.read(tape)
		a.oneTape()
		if !flushed || a.symbols["AAPL"].seqs[feed.Trades] <= trade.Seq {
			t.Error("the test has put nothing to the test")
		}
	})
}
