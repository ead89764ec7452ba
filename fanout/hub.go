package fanout

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tapecast/tapecast/feed"
)

// ErrNewTape is returned by Ingest when the records are of another tape than
// those before: the hub is of no use any more and a new one must be made.
var ErrNewTape = errors.New("the tape was replaced by a new one")

// Options says what a hub is to be.
type Options struct {
	Encoder Encoder
	// From is where the first records will come from, per lane.
	From feed.Position
	// Whole says from which tape time on the hub sees every record, ns UTC; 0:
	// it reads the tape from its beginning. Windows that began before it are not
	// built from ticks.
	Whole int64
	// Window is how long ticks and streams are kept, of tape time; at least a
	// minute, which is the default.
	Window time.Duration
	// Shards is how many shards will read; 1 by default.
	Shards int
	// Faults breaks the hub, to show that checks find it. Zero in use.
	Faults     Faults
	Log        *slog.Logger
	Registerer prometheus.Registerer
}

// Hub is the one writer of everything that clients share. Ingest and Tick are
// called by one goroutine; all else is safe from any.
type Hub struct {
	options Options
	log     *slog.Logger
	metrics *metrics
	now     func() time.Time

	tape      feed.TapeID
	lanes     []lane
	symbols   map[string]*Symbol
	directory atomic.Pointer[Directory]
	ready     atomic.Bool

	streams  map[StreamKey]*Stream
	wanted   atomic.Pointer[want] // stack of the shards' requests
	wakeUp   chan struct{}        // a request waits
	idle     []*Stream            // read by no shard, kept a little longer
	marked   []*Stream
	attached []attachment
	touched  []*Symbol
	stale    []int // lanes that have become so
	listed   bool  // the directory has changed
	settled  bool  // every lane is ready
	faults   faultState

	last   atomic.Pointer[pass]
	shards []*Shard

	raw     []byte // scratch: a tick's message
	message []byte // scratch: one message
	second  []byte // scratch: the message that goes with it
	frame   []byte // scratch: messages in a framing
	pos     feed.Position
	further feed.Position
}

// Directory lists the symbols that a hub knows, in order of their names. It is
// immutable.
type Directory struct {
	Tape    feed.TapeID
	Symbols []*Symbol
	byName  map[string]*Symbol
}

// Lookup returns a symbol by its name, or nil.
func (d *Directory) Lookup(name string) *Symbol { return d.byName[name] }

// New makes a hub. Its shards are there from the start: see Shard.
func New(o Options) (*Hub, error) {
	if o.Encoder == nil {
		return nil, errors.New("fanout: an Encoder is needed")
	}
	if len(o.From) == 0 || len(o.From) > maxLanes {
		return nil, errors.New("fanout: From must have a position for each lane")
	}
	o.Window = max(o.Window, time.Minute)
	o.Shards = max(o.Shards, 1)
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	h := &Hub{
		options: o, log: o.Log, now: time.Now,
		lanes:   make([]lane, len(o.From)),
		symbols: map[string]*Symbol{},
		streams: map[StreamKey]*Stream{},
		pos:     o.From.Clone(),
		further: o.From.Clone(),
		metrics: newMetrics(o.Registerer),
		wakeUp:  make(chan struct{}, 1),
	}
	for i := range h.lanes {
		l := &h.lanes[i]
		l.next, l.expect = o.From[i], -1
	}
	h.directory.Store(&Directory{})
	h.last.Store(&pass{cut: &cut{pos: o.From.Clone()}})
	for i := range o.Shards {
		h.shards = append(h.shards, newShard(h, i))
	}
	return h, nil
}

// Shards returns the hub's shards, each to be run by one goroutine.
func (h *Hub) Shards() []*Shard { return h.shards }

// Directory returns the symbols known now.
func (h *Hub) Directory() *Directory { return h.directory.Load() }

// Ready reports whether every symbol of every lane is keyed.
func (h *Hub) Ready() bool { return h.ready.Load() }

// Cut returns the place up to which everything has been published: its cursor
// and its tape time, ns UTC.
func (h *Hub) Cut() (cursor string, at int64) {
	c := h.last.Load().cut
	return c.text(), c.time
}

// Run ingests what comes until ctx ends, the channel is closed or a new tape is
// met. It takes all that is waiting before it publishes, so that a busy hub
// makes fewer, larger passes. done is called for each batch when the hub has
// finished with it.
func (h *Hub) Run(ctx context.Context, in <-chan *Batch, done func(*Batch)) error {
	ticker := time.NewTicker(250 * time.Millisecond)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-h.wakeUp:
		case <-ticker.C:
			h.Tick()
		case b, ok := <-in:
			if !ok {
				return nil
			}
			if err := h.takeAll(b, in, done); err != nil {
				return err
			}
		}
		h.Publish()
	}
}

// mostBatches bounds how many batches one pass takes.
const mostBatches = 64

func (h *Hub) takeAll(b *Batch, in <-chan *Batch, done func(*Batch)) error {
	for range mostBatches {
		if err := h.Ingest(b); err != nil {
			return err
		}
		done(b)
		select {
		case next, ok := <-in:
			if !ok {
				return nil
			}
			b = next
		default:
			return nil
		}
	}
	// The last one that was received is still to be taken.
	if err := h.Ingest(b); err != nil {
		return err
	}
	done(b)
	return nil
}

// Publish makes all that was ingested since the last time visible, as one pass,
// and wakes the shards.
func (h *Hub) Publish() {
	h.serveWants()
	if len(h.marked)+len(h.attached)+len(h.stale) == 0 && !h.moved() {
		return
	}
	p := &pass{cut: h.newCut(), attached: h.attached, stale: h.stale}
	for _, s := range h.touched {
		s.touched = false
		s.state.Store(s.slab.take(&s.book))
	}
	h.touched = h.touched[:0]
	if h.listed {
		h.listed = false
		h.list()
	}
	if h.settled && !h.ready.Load() {
		h.ready.Store(true)
		h.log.Info("every symbol is keyed", "symbols", len(h.symbols), "tape", h.tape.String())
	}
	if len(h.marked) > 0 {
		p.marks = make([]mark, len(h.marked))
	}
	for i, s := range h.marked {
		s.marked = false
		s.publish()
		p.marks[i] = mark{stream: s, head: s.head}
	}
	h.marked = h.marked[:0]
	h.attached, h.stale = nil, nil
	h.last.Load().next.Store(p)
	h.last.Store(p)
	h.metrics.passes.Inc()
	for _, s := range h.shards {
		s.wake()
	}
}

// moved reports whether any lane went on since the last pass.
func (h *Hub) moved() bool {
	last := h.last.Load().cut.pos
	for i := range h.lanes {
		if h.lanes[i].next != last[i] {
			return true
		}
	}
	return false
}

func (h *Hub) newCut() *cut {
	both := make([]int64, 2*len(h.lanes))
	c := &cut{tape: h.tape, pos: both[:len(h.lanes):len(h.lanes)], steps: both[len(h.lanes):]}
	for i := range h.lanes {
		c.pos[i] = h.lanes[i].next
		c.steps[i] = h.lanes[i].time / grid * grid
		h.lanes[i].now.Store(h.lanes[i].time)
		if i == 0 || h.lanes[i].time < c.time {
			c.time = h.lanes[i].time
		}
		c.newest = max(c.newest, h.lanes[i].time)
	}
	return c
}
