package feeder

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/tapecast/tapecast/feed"
	"github.com/tapecast/tapecast/feed/market"
)

const (
	// turnEvery is how often the market is brought up to the clock. Each turn is
	// one request to the tape.
	turnEvery = 10 * time.Millisecond
	// longestOutage is how much a market on wall time makes up for. After a
	// longer pause a new session begins, at the old prices.
	longestOutage = int64(60 * time.Second)
	// flushAt bounds what is buffered while the market catches up, in bytes.
	flushAt = 512 << 10
)

// Feeder writes a tape. One goroutine runs it; it starts no other.
type Feeder struct {
	options Options
	metrics metrics
	books   []book // by symbol index
	scribe  scribe
	pace    pace
	tape    feed.TapeID

	market  *market.Market
	emit    func(symbol int, t *feed.Tick) // made once: a closure would allocate each time
	ticks   int                            // emitted since the last flush
	clockAt int64                          // when the next clocks are due, market time
	frames  rota
	end     int64 // market time at which Run ends
	waits   bool  // for the wall clock
}

// New checks the options and registers the metrics. Nothing is written before
// Run.
func New(o Options) (*Feeder, error) {
	if err := o.complete(); err != nil {
		return nil, fmt.Errorf("feeder: %w", err)
	}
	f := &Feeder{options: o, scribe: newScribe(o.Tape, o.Lanes), books: make([]book, len(o.Universe))}
	for i := range f.books {
		f.books[i] = newBook(o.Universe[i].Instrument, o.Lanes)
		f.scribe.counts[f.books[i].lane]++
	}
	f.emit = func(symbol int, t *feed.Tick) {
		f.ticks++
		f.scribe.tick(&f.books[symbol], t)
	}
	if err := f.newMarket(0); err != nil { // to refuse bad options here and now
		return nil, fmt.Errorf("feeder: %w", err)
	}
	var err error
	if f.metrics, err = newMetrics(o.Registerer); err != nil {
		return nil, fmt.Errorf("feeder: metrics: %w", err)
	}
	return f, nil
}

// Run takes up the tape and writes it until ctx is done or Duration is over,
// when it returns nil. It returns an error when the tape can't be written for
// good (another feeder has taken over), or can't be taken up. Run once.
func (f *Feeder) Run(ctx context.Context) error {
	err := f.takeUp(ctx)
	if err == nil {
		err = f.feed(ctx)
	}
	switch {
	case ctx.Err() != nil:
		return nil // what was not acknowledged by now, the next feeder finds or makes anew
	case err != nil:
		return fmt.Errorf("feeder: %w", err)
	default:
		f.options.Log.InfoContext(ctx, "the feeder's duration is over", "market_time", instant(f.market.Now()))
		return nil
	}
}

// feed takes turns until the end.
func (f *Feeder) feed(ctx context.Context) error {
	ticker := time.NewTicker(turnEvery)
	defer ticker.Stop()
	for f.market.Now() < f.end {
		if err := f.turn(ctx); err != nil {
			return err
		}
		if f.pace.clock.max && ctx.Err() == nil {
			continue
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C: // a late one comes at once
		}
	}
	return nil
}

// turn brings the market up to the clock.
func (f *Feeder) turn(ctx context.Context) error {
	begun := time.Now()
	now := f.market.Now()
	target := f.pace.target(now)
	if f.pace.wall {
		f.metrics.lag.Set(seconds(target - now))
		f.noteWait(ctx, now-target)
		if target-now > longestOutage {
			f.options.Log.WarnContext(ctx, "the tape stood still for too long to make up for; a new session begins",
				"from", instant(now), "to", instant(target))
			return f.restart(ctx, target)
		}
	}
	err := f.advance(ctx, min(target, f.end))
	f.metrics.turn.Set(time.Since(begun).Seconds())
	return err
}

// noteWait tells once when the wall clock is behind the tape's end.
func (f *Feeder) noteWait(ctx context.Context, ahead int64) {
	waits := ahead > int64(time.Second)
	if waits && !f.waits {
		f.options.Log.WarnContext(ctx, "the wall clock is behind the tape's end; the market waits for it", "by", time.Duration(ahead))
	}
	f.waits = waits
}

// advance plays the market up to a market time and flushes.
func (f *Feeder) advance(ctx context.Context, to int64) error {
	for f.market.Now() < to {
		next := min(to, f.clockAt, f.frames.at())
		f.market.Advance(next, f.emit)
		if next == f.clockAt {
			f.scribe.clocks(f.tape, next)
			f.clockAt += clockEvery
		}
		if next == f.frames.at() {
			f.scribe.keyframe(&f.books[f.frames.turn()], f.tape, next)
		}
		if f.scribe.bytes >= flushAt {
			if err := f.flush(ctx); err != nil {
				return err
			}
		}
	}
	return f.flush(ctx)
}

func (f *Feeder) flush(ctx context.Context) error {
	if err := f.scribe.flush(ctx); err != nil {
		return err
	}
	f.metrics.ticks.Add(float64(f.ticks))
	f.ticks = 0
	return nil
}

// newMarket makes the market of a session that begins at start, at the books'
// prices.
func (f *Feeder) newMarket(start int64) error {
	o := &f.options
	prices := make([]feed.Price, len(f.books))
	for i := range f.books {
		prices[i] = f.books[i].price()
	}
	m, err := market.New(market.Options{
		Universe: o.Universe, Seed: o.Seed, Start: start, Rate: o.Rate, Scenario: o.Scenario, Prices: prices,
	})
	if err != nil {
		return err
	}
	f.market = m
	f.clockAt = start - start%clockEvery + clockEvery // whole multiples, so that a minute's end has a clock
	f.frames = rota{base: start, n: len(f.books)}
	return nil
}

// endAfter returns when a feeder ends that starts at start.
func (o *Options) endAfter(start int64) int64 {
	if o.Duration == 0 {
		return math.MaxInt64
	}
	return start + int64(o.Duration)
}

// instant returns a market time for people.
func instant(ns int64) time.Time { return time.Unix(0, ns).UTC() }
