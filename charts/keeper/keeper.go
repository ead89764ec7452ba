package keeper

import (
	"context"
	"errors"
	"log/slog"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tapecast/tapecast/charts"
)

// Options of a Keeper.
type Options struct {
	Group Group
	Sink  Sink
	// Log and Registerer may be nil: then nothing is logged or registered.
	Log        *slog.Logger
	Registerer prometheus.Registerer
}

// Keeper writes the bars of the lanes that its group gives it.
type Keeper struct {
	group   Group
	log     *slog.Logger
	metrics *metrics

	mu   sync.Mutex // guards what follows: lanes are read at the same time
	sink Sink
	buf  []byte
}

// New checks the options. It does not read or write anything yet.
func New(o Options) (*Keeper, error) {
	if o.Group == nil || o.Sink == nil {
		return nil, errors.New("keeper: Options need a Group to read and a Sink to write to")
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	m, err := newMetrics(o.Registerer)
	if err != nil {
		return nil, err
	}
	return &Keeper{group: o.Group, sink: o.Sink, log: o.Log, metrics: m}, nil
}

// Run keeps the bars until ctx ends, or writing them fails for good.
func (k *Keeper) Run(ctx context.Context) error { return k.group.Run(ctx, k.work) }

// work keeps the bars of one lane.
func (k *Keeper) work(ctx context.Context, number int, start int64, c Claim) error {
	log := k.log.With("lane", number)
	for {
		log.InfoContext(ctx, "keeping the bars of a lane", "start", start)
		l := newLane(start, log, k.metrics)
		err := c.Read(ctx, max(start, 0), func(records []Record) error {
			return k.take(ctx, number, c, l, records)
		})
		if !errors.Is(err, ErrTruncated) {
			return err
		}
		log.WarnContext(ctx, "the lane has shrunk: beginning it anew", "error", err)
		start = -1
	}
}

// take reads records into the lane, writes the windows that they closed, and
// when these are safe commits from where the open ones can be built again.
func (k *Keeper) take(ctx context.Context, number int, c Claim, l *lane, records []Record) error {
	for i := range records {
		l.read(&records[i])
	}
	if !l.turned {
		return nil
	}
	if err := k.write(ctx, number, l.closed); err != nil {
		return err
	}
	l.closed, l.turned = l.closed[:0], false
	if err := c.Commit(l.resume()); err != nil && ctx.Err() == nil {
		// The next commit makes up for it; until then more would be read again.
		k.metrics.commitFailures.Inc()
		l.log.WarnContext(ctx, "the offset was not committed", "offset", l.resume(), "error", err)
	}
	return nil
}

// write writes closed windows of a lane and returns when they are safe.
func (k *Keeper) write(ctx context.Context, number int, closed []closing) error {
	if len(closed) == 0 {
		return nil
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return err // The lane was taken away while another one wrote.
	}
	for i := range closed {
		w := &closed[i].window
		k.buf = charts.AppendWindow(k.buf[:0], w)
		k.sink.Append(number, w.End(), []byte(closed[i].symbol), k.buf)
	}
	if err := k.sink.Flush(ctx); err != nil {
		return err
	}
	k.metrics.bars.Add(float64(len(closed)))
	return nil
}
