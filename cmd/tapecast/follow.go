package main

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/tapecast/tapecast/charts"
	"github.com/tapecast/tapecast/fanout"
	"github.com/tapecast/tapecast/feed"
	"github.com/tapecast/tapecast/feed/kafka"
)

// follower carries the tape and its history from Kafka to a hub.
type follower struct {
	conn  kafka.Conn
	ticks string
	bars  string
	lanes int
	log   *slog.Logger

	from     feed.Position // where the hub begins
	whole    int64         // tape time from which on it sees everything, ns UTC
	barsFrom feed.Position // where the history goes on after what was loaded
	barsNext feed.Position // how long the history was

	pool sync.Pool // of *fanout.Batch
}

// newFollower finds out where on the tape a node begins: at the start of a
// minute, at least the hub's window before the tape's end.
func newFollower(ctx context.Context, conn kafka.Conn, c *kafkaConfig, lanes int, window time.Duration, log *slog.Logger) (*follower, error) {
	f := &follower{conn: conn, ticks: c.topic, bars: c.bars, lanes: lanes, log: log}
	f.pool.New = func() any { return new(fanout.Batch) }
	end, err := f.end(ctx)
	if err != nil {
		return nil, err
	}
	first, next, err := kafka.Offsets(ctx, conn, c.topic, lanes)
	if err != nil {
		return nil, err
	}
	f.from, f.whole = first, 0
	if end != 0 {
		f.whole = charts.Minute.Floor(end - int64(window))
		if f.from, err = kafka.At(ctx, conn, c.topic, lanes, f.whole); err != nil {
			return nil, err
		}
	}
	if f.barsFrom, f.barsNext, err = kafka.Offsets(ctx, conn, c.bars, lanes); err != nil {
		return nil, err
	}
	behind := int64(0)
	for lane := range next {
		behind += next[lane] - f.from[lane]
	}
	log.Info("reading the tape", "from", time.Unix(0, f.whole).UTC(), "records", behind)
	return f, nil
}

// end returns the newest time on the tape, ns UTC; 0: it is empty.
func (f *follower) end(ctx context.Context) (int64, error) {
	var newest int64
	var rec feed.Record
	err := kafka.Tails(ctx, f.conn, f.ticks, f.lanes, func(r kafka.Record) error {
		if feed.Decode(r.Value, &rec) == nil {
			newest = max(newest, rec.TS())
		}
		return nil
	}, func() bool { return true })
	return newest, err
}

// load hands the history to the hub, before the first tick.
func (f *follower) load(ctx context.Context, hub *fanout.Hub) error {
	var b fanout.Batch
	n := 0
	err := kafka.Range(ctx, f.conn, f.bars, f.barsFrom, f.barsNext, func(r kafka.Record) error {
		w, err := charts.DecodeWindow(r.Value)
		if err != nil {
			f.log.Warn("a bar can't be read and is left out", "topic", f.bars, "lane", r.Lane, "offset", r.Offset, "error", err)
			return nil
		}
		if w.Start >= f.whole && f.whole != 0 && !w.Synthetic {
			return nil // the hub builds it itself
		}
		n++
		b.Bars = append(b.Bars[:0], fanout.SymbolWindow{Symbol: string(r.Key), Lane: r.Lane, Window: w})
		return hub.Ingest(&b)
	})
	if err != nil {
		return fmt.Errorf("reading the history: %w", err)
	}
	f.log.Info("history loaded", "bars", n)
	return nil
}

// Run reads the tape and its history for ever, and hands them to the hub.
func (f *follower) Run(ctx context.Context, hub *fanout.Hub) error {
	ticks, err := kafka.NewReader(kafka.ReaderOptions{Conn: f.conn, Topic: f.ticks, Lanes: f.lanes, From: f.from})
	if err != nil {
		return err
	}
	bars, err := kafka.NewReader(kafka.ReaderOptions{Conn: f.conn, Topic: f.bars, Lanes: f.lanes, From: f.barsNext})
	if err != nil {
		return err
	}
	batches := make(chan *fanout.Batch, 2*f.lanes)
	names := make([]map[string]string, f.lanes)
	for i := range names {
		names[i] = map[string]string{}
	}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return hub.Run(ctx, batches, func(b *fanout.Batch) { f.pool.Put(b) }) })
	g.Go(func() error {
		return ticks.Run(ctx, func(b kafka.Batch) error {
			return f.send(ctx, batches, f.decode(&b, names[b.Lane]))
		})
	})
	g.Go(func() error {
		return bars.Run(ctx, func(b kafka.Batch) error { return f.send(ctx, batches, f.decodeBars(&b)) })
	})
	return g.Wait()
}

func (f *follower) send(ctx context.Context, to chan<- *fanout.Batch, b *fanout.Batch) error {
	select {
	case to <- b:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// batch returns an empty batch.
func (f *follower) batch(lane int) *fanout.Batch {
	b, ok := f.pool.Get().(*fanout.Batch)
	if !ok {
		b = new(fanout.Batch)
	}
	*b = fanout.Batch{Lane: lane, Records: b.Records[:0], Bars: b.Bars[:0]}
	return b
}

// decode decodes a batch of the tape. Each lane has a table of its names, so that
// a symbol's name is made once.
func (f *follower) decode(in *kafka.Batch, names map[string]string) *fanout.Batch {
	b := f.batch(in.Lane)
	b.Next, b.End, b.Skipped = in.Next, in.End, in.SkippedFrom >= 0
	for i := range in.Records {
		r := &in.Records[i]
		b.Records = append(b.Records, fanout.Record{Offset: r.Offset})
		out := &b.Records[len(b.Records)-1]
		if err := feed.Decode(r.Value, &out.Record); err != nil {
			out.Poison = true
			f.log.Warn("a record of the tape can't be read and is left out", "topic", f.ticks, "lane", in.Lane, "offset", r.Offset, "error", err)
			continue
		}
		name, ok := names[string(r.Key)]
		if !ok {
			name = string(r.Key)
			names[name] = name
		}
		out.Symbol = name
	}
	return b
}

func (f *follower) decodeBars(in *kafka.Batch) *fanout.Batch {
	b := f.batch(in.Lane)
	for i := range in.Records {
		r := &in.Records[i]
		if w, err := charts.DecodeWindow(r.Value); err == nil {
			b.Bars = append(b.Bars, fanout.SymbolWindow{Symbol: string(r.Key), Lane: in.Lane, Window: w})
		} else {
			f.log.Warn("a bar can't be read and is left out", "topic", f.bars, "lane", in.Lane, "offset", r.Offset, "error", err)
		}
	}
	return b
}
