package fanout_test

import (
	"testing"
	"time"

	"github.com/tapecast/tapecast/fanout"
	"github.com/tapecast/tapecast/fanout/wire"
	"github.com/tapecast/tapecast/feed"
)

// benchTape returns a hub of 60 symbols and batches of 15 ticks, as a node meets
// them at the default rate.
func benchTape(b *testing.B, watched bool) (*fanout.Hub, []*fanout.Batch) {
	tp := newTape(1, 8, 60)
	hub, err := fanout.New(fanout.Options{Encoder: wire.JSON{}, From: make(feed.Position, 8)})
	if err != nil {
		b.Fatal(err)
	}
	f := feeder{tape: tp, hub: hub, next: make([]int64, 8)}
	if err := f.all(); err != nil {
		b.Fatal(err)
	}
	if watched {
		sub := hub.Shards()[0].NewSubscriber(discard{}, fanout.Frames, nil)
		sub.Start(func() { sub.Subscribe(&fanout.Request{Symbols: hub.Directory().Symbols, Set: fanout.Both}) })
		hub.Shards()[0].Pass(time.Now())
		hub.Publish()
		hub.Shards()[0].Pass(time.Now())
	}
	for range b.N {
		tp.step(time.Millisecond)
	}
	var batches []*fanout.Batch
	for lane := range f.next {
		for batch := f.batch(lane, 15); batch != nil; batch = f.batch(lane, 15) {
			batches = append(batches, batch)
		}
	}
	return hub, batches
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }
func (discard) Close(bool)                  {}

func benchIngest(b *testing.B, watched bool) {
	hub, batches := benchTape(b, watched)
	b.ReportAllocs()
	b.ResetTimer()
	for _, batch := range batches {
		if err := hub.Ingest(batch); err != nil {
			b.Fatal(err)
		}
		hub.Publish()
		if watched {
			hub.Shards()[0].Pass(time.Now())
		}
	}
}

// BenchmarkIngest is one tick with nobody listening.
func BenchmarkIngest(b *testing.B) { benchIngest(b, false) }

// BenchmarkIngestWatched is one tick encoded and delivered to one client of all
// symbols.
func BenchmarkIngestWatched(b *testing.B) { benchIngest(b, true) }

// BenchmarkDeliver is one message to one of a thousand clients of a symbol.
func BenchmarkDeliver(b *testing.B) {
	const clients = 1000
	tp := newTape(1, 1, 1)
	hub, err := fanout.New(fanout.Options{Encoder: wire.JSON{}, From: make(feed.Position, 1)})
	if err != nil {
		b.Fatal(err)
	}
	f := feeder{tape: tp, hub: hub, next: make([]int64, 1)}
	if err := f.all(); err != nil {
		b.Fatal(err)
	}
	shard := hub.Shards()[0]
	for range clients {
		sub := shard.NewSubscriber(discard{}, fanout.Frames, nil)
		sub.Start(func() { sub.Subscribe(&fanout.Request{Symbols: hub.Directory().Symbols, Set: fanout.Both}) })
	}
	shard.Pass(time.Now())
	hub.Publish()
	shard.Pass(time.Now())
	b.ReportAllocs()
	b.ResetTimer()
	for n := 0; n < b.N; n += clients {
		b.StopTimer()
		tp.step(time.Millisecond)
		if err := f.all(); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		shard.Pass(time.Now())
	}
}
