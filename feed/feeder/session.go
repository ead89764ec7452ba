package feeder

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/tapecast/tapecast/charts"
	"github.com/tapecast/tapecast/feed"
)

// longestWait is how far the tape's end may be ahead of the wall clock: then the
// feeder begins there and lets the clock catch up.
const longestWait = int64(5 * time.Second)

// takeUp begins the first session where the tape ends. The order matters: look
// at the tape's end (a feeder with a wrong clock is refused here, before it
// could disturb another); write the session, which shuts an older feeder out;
// only then read the tails, which nobody changes any more; at last the keyframes,
// so that every symbol has one before its first tick.
func (f *Feeder) takeUp(ctx context.Context) error {
	o := &f.options
	g := glance{}
	if err := o.Tape.Tails(ctx, g.visit, g.enough); err != nil {
		return fmt.Errorf("reading the tape's end: %w", err)
	}
	f.pace = newPace(o.Clock, o.Clock.real() && o.Start == 0)
	start, err := f.startAfter(g.end)
	if err != nil {
		return err
	}
	f.end = o.endAfter(start)
	if f.tape = g.tape; f.tape == 0 {
		f.tape = newTapeID()
	}
	if err := f.beginSession(ctx, start); err != nil {
		return err
	}
	t, err := f.readTails(ctx)
	if err != nil {
		return err
	}
	if err := f.newMarket(start); err != nil {
		return err
	}
	if o.Bars != nil && t.anyNew() {
		if err := f.backfill(ctx, t.isNew); err != nil {
			return err
		}
	}
	return f.keyframes(ctx, start)
}

// restart begins a new session at the old prices.
func (f *Feeder) restart(ctx context.Context, start int64) error {
	if err := f.beginSession(ctx, start); err != nil {
		return err
	}
	if err := f.newMarket(start); err != nil {
		return err
	}
	return f.keyframes(ctx, start)
}

// startAfter returns the market time at which to begin on a tape with that end
// (0: an empty one).
func (f *Feeder) startAfter(end int64) (int64, error) {
	now := time.Now().UnixNano()
	if f.options.Start != 0 {
		now = f.options.Start
	}
	if f.pace.wall && end-now > longestWait {
		return 0, fmt.Errorf("the tape ends at %s, %v after this machine's clock: set the clock right, "+
			"or begin a new tape: name another topic or delete this one",
			instant(end).Format(time.RFC3339), time.Duration(end-now).Round(time.Second))
	}
	return max(now, end), nil
}

// newTapeID returns a random id that is not 0.
func newTapeID() feed.TapeID {
	for {
		if id := feed.TapeID(rand.Uint64()); id != 0 {
			return id
		}
	}
}

// beginSession writes and flushes the session's record on each lane.
func (f *Feeder) beginSession(ctx context.Context, start int64) error {
	o := &f.options
	f.scribe.session(feed.Session{Tape: f.tape, Seed: o.Seed, Start: start, Scenario: o.Scenario})
	if err := f.flush(ctx); err != nil {
		return err
	}
	f.metrics.sessions.Inc()
	o.Log.InfoContext(ctx, "a session begins", "tape", f.tape.String(), "seed", o.Seed,
		"market_time", instant(start), "clock", o.Clock.String(), "symbols", len(f.books))
	return nil
}

// readTails brings the books to the end of the tape.
func (f *Feeder) readTails(ctx context.Context) (*tails, error) {
	t := newTails(f.books, f.options.Lanes)
	if err := f.options.Tape.Tails(ctx, t.visit, t.enough); err != nil {
		return nil, fmt.Errorf("reading the tape's end: %w", err)
	}
	if t.poison > 0 {
		f.metrics.poison.Add(float64(t.poison))
		f.options.Log.WarnContext(ctx, "records at the tape's end can't be decoded and were skipped", "records", t.poison)
	}
	for lane, ts := range t.times {
		f.scribe.stamp(lane, ts) // an older feeder may have written between our glance and our session
	}
	if t.torn() {
		f.tape = newTapeID()
		f.options.Log.WarnContext(ctx, "the tape's retention has taken keyframes that its numbering needs; a new tape begins on the same topic",
			"tape", f.tape.String())
	}
	return t, t.restore(f.books)
}

// backfill hands out the made-up past of the symbols that are new on the tape.
func (f *Feeder) backfill(ctx context.Context, isNew func(symbol int) bool) error {
	o := &f.options
	return f.market.Backfill(o.Backfill, func(symbol int, windows []charts.Window) error {
		if !isNew(symbol) {
			return ctx.Err()
		}
		if err := o.Bars(ctx, o.Universe[symbol].Symbol, windows); err != nil {
			return fmt.Errorf("back-fill of %s: %w", o.Universe[symbol].Symbol, err)
		}
		return nil
	})
}

// keyframes writes and flushes the keyframe of every symbol.
func (f *Feeder) keyframes(ctx context.Context, ts int64) error {
	for i := range f.books {
		f.scribe.keyframe(&f.books[i], f.tape, ts)
	}
	f.scribe.clocks(f.tape, ts)
	return f.flush(ctx)
}
