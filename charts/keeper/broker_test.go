package keeper_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/tapecast/tapecast/charts"
	"github.com/tapecast/tapecast/charts/keeper"
)

var (
	errKilled = errors.New("killed")
	errEnd    = errors.New("the end of the lane")
)

// broker is a ticks topic with its group and a bars topic, in memory. It can
// kill the keeper at any of its steps: from then on nothing it does has an
// effect.
type broker struct {
	mu        sync.Mutex
	random    *rand.Rand
	lanes     [][]keeper.Record // their offsets ascend but need not be contiguous
	committed []int64
	bars      []bar // acknowledged, in order
	buffered  []bar

	steps  int // done by the keeper
	killAt int // the step that kills it; negative: none
	// refuse makes commits fail.
	refuse bool
	// replace, if set, is the lane 0 that comes in place of the old one, once.
	replace []keeper.Record
}

// bar is a record of the bars topic.
type bar struct {
	lane  int
	ts    int64
	key   string
	value string
}

func newBroker(lanes ...[]keeper.Record) *broker {
	b := &broker{random: rand.New(rand.NewPCG(1, 1)), lanes: lanes, killAt: -1}
	for range lanes {
		b.committed = append(b.committed, -1)
	}
	return b
}

// step is done before everything that has an effect.
func (b *broker) step() error {
	if b.killAt >= 0 && b.steps >= b.killAt {
		return errKilled
	}
	b.steps++
	return nil
}

// Run gives all lanes to the keeper until it has read to their ends.
func (b *broker) Run(ctx context.Context, work func(context.Context, int, int64, keeper.Claim) error) error {
	g, ctx := errgroup.WithContext(ctx)
	for lane := range b.lanes {
		b.mu.Lock()
		start := b.committed[lane]
		b.mu.Unlock()
		g.Go(func() error {
			err := work(ctx, lane, start, &claim{broker: b, lane: lane})
			if errors.Is(err, errEnd) {
				return nil
			}
			return err
		})
	}
	return g.Wait()
}

// claim is a lane of the broker.
type claim struct {
	*broker
	lane int
}

// Read hands out batches of random sizes up to the end of the lane.
func (c *claim) Read(ctx context.Context, from int64, handle func([]keeper.Record) error) error {
	for {
		batch, err := c.fetch(from)
		if err != nil {
			return err
		}
		if err := handle(batch); err != nil {
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		from = batch[len(batch)-1].Offset + 1
	}
}

func (c *claim) fetch(from int64) ([]keeper.Record, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.step(); err != nil {
		return nil, err
	}
	records := c.lanes[c.lane]
	for len(records) > 0 && records[0].Offset < from {
		records = records[1:]
	}
	if len(records) == 0 && c.lane == 0 && c.replace != nil {
		c.lanes[0], c.replace = c.replace, nil
		return nil, fmt.Errorf("lane 0 from %d: %w", from, keeper.ErrTruncated)
	}
	if len(records) == 0 {
		return nil, errEnd
	}
	return records[:1+c.random.IntN(min(len(records), 40))], nil
}

func (c *claim) Commit(next int64) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.step(); err != nil {
		return err
	}
	if c.refuse {
		return errors.New("no coordinator")
	}
	c.committed[c.lane] = next
	return nil
}

func (b *broker) Append(lane int, ts int64, key, value []byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.buffered = append(b.buffered, bar{lane: lane, ts: ts, key: string(key), value: string(value)})
}

// Flush acknowledges what is buffered, one step for each record: a kill leaves
// some of them written and others not.
func (b *broker) Flush(ctx context.Context) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	for len(b.buffered) > 0 {
		if err := b.step(); err != nil {
			return err
		}
		b.bars = append(b.bars, b.buffered[0])
		b.buffered = b.buffered[1:]
	}
	return ctx.Err()
}

// run runs a new keeper until the ends of the lanes, or its death at a step.
func (b *broker) run(killAt int) error {
	b.steps, b.killAt, b.buffered = 0, killAt, nil
	k, err := keeper.New(keeper.Options{Group: b, Sink: b})
	if err != nil {
		return err
	}
	return k.Run(context.Background())
}

// history reads the bars topic as nodes do, and makes sure that what was written
// twice is equal.
func (b *broker) history() (map[string]charts.Window, error) {
	known, values := map[string]charts.Window{}, map[string]string{}
	for _, r := range b.bars {
		w, err := charts.DecodeWindow([]byte(r.value))
		if err != nil {
			return nil, err
		}
		if r.ts != w.End() {
			return nil, fmt.Errorf("the record of %+v has time %d", w, r.ts)
		}
		id := fmt.Sprintf("%d/%s/%d", r.lane, r.key, w.Start)
		if before, twice := values[id]; twice && before != r.value {
			return nil, fmt.Errorf("%s was written as %+v, then as %+v", id, known[id], w)
		}
		known[id], values[id] = w, r.value
	}
	return known, nil
}
