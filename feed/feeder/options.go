package feeder

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tapecast/tapecast/charts"
	"github.com/tapecast/tapecast/feed"
	"github.com/tapecast/tapecast/feed/market"
)

// Tape is what a feeder writes to. By the time the feeder gets it, older writers
// of the same tape are shut out as soon as this one has written to each lane.
type Tape interface {
	// Append copies a record into the lane's buffer. ts is ns UTC; a nil key is
	// none.
	Append(lane int, ts int64, key, value []byte)
	// Flush writes what is buffered and returns when all of it is safe. It
	// retries for as long as ctx lasts; an error is final.
	Flush(ctx context.Context) error
	// Tails reads the tape backwards, in windows: records of a lane come in order
	// within a window, an older window comes after a newer one. Between windows
	// it asks enough, and ends then or at the tape's beginning. Key and value are
	// valid during the call.
	Tails(ctx context.Context, visit func(lane int, offset int64, key, value []byte) error, enough func() bool) error
}

// Options of a Feeder.
type Options struct {
	Tape     Tape
	Lanes    int           // of the tape, fixed for its life
	Universe feed.Universe // not changed, and not to be changed
	Seed     uint64
	Rate     float64 // mean ticks per second in all; 0: market.DefaultRate
	Scenario string  // see market.Options
	Clock    Clock
	// Start is where market time begins, ns UTC; 0: now. A tape that is already
	// longer goes on from its end. With a real Clock and no Start, market time is
	// wall time.
	Start    int64
	Duration time.Duration // of market time until Run ends by itself; 0: never

	// Bars takes the made-up minute bars of one symbol at the beginning of a new
	// tape, before the first keyframe: it writes them, and returns when they are
	// safe. The slice is valid during the call. nil: no back-fill.
	Bars     func(ctx context.Context, symbol string, windows []charts.Window) error
	Backfill int // days of it; 0: 5

	Log        *slog.Logger          // nil: none
	Registerer prometheus.Registerer // nil: none
}

const defaultBackfill = 5 // days

func (o *Options) complete() error {
	var errs []error
	if o.Tape == nil {
		errs = append(errs, errors.New("no tape"))
	}
	if o.Lanes < 1 {
		errs = append(errs, fmt.Errorf("%d lanes: a tape needs at least one", o.Lanes))
	}
	if o.Duration < 0 {
		errs = append(errs, fmt.Errorf("duration %v must not be negative", o.Duration))
	}
	if o.Backfill == 0 {
		o.Backfill = defaultBackfill
	}
	if o.Backfill < 0 || o.Backfill > market.MaxBackfill {
		errs = append(errs, fmt.Errorf("back-fill of %d days must be 1 to %d", o.Backfill, market.MaxBackfill))
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return errors.Join(errs...)
}
