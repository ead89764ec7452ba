package fanout_test

import (
	"testing"
	"time"

	"github.com/tapecast/tapecast/fanout"
	"github.com/tapecast/tapecast/fanout/wire"
	"github.com/tapecast/tapecast/feed"
)

// benchTape returns a hub of 60 symbols, of which a client watches all at each of the
// levels, and batches of 15 ticks, as a node meets them at the default rate.
func benchTape(b *testing.B, watched ...fanout.Level) (*fanout.Hub, []*fanout.Batch) {
	tp := newTape(1, 8, 60)
	hub, err := fanout.New(fanout.Options{Encoder: wire.JSON{}, From: make(feed.Position, 8)})
	if err != nil {
		b.Fatal(err)
	}
	f := feeder{tape: tp, hub: hub, next: make([]int64, 8)}
	if err := f.all(); err != nil {
		b.Fatal(err)
	}
	for _, level := range watched {
		sub := hub.Shards()[0].NewSubscriber(discard{}, fanout.Frames, nil)
		sub.Start(func() {
			sub.Subscribe(&fanout.Request{Symbols: hub.Directory().Symbols, Set: fanout.Both, Group: fanout.Group{Resolution: level}})
		})
	}
	settle(hub)
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

// settle gives the shard the streams that it asked for.
func settle(hub *fanout.Hub) {
	hub.Shards()[0].Pass(time.Now())
	hub.Publish()
	hub.Shards()[0].Pass(time.Now())
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }
func (discard) Close(bool)                  {}

func benchIngest(b *testing.B, watched ...fanout.Level) {
	hub, batches := benchTape(b, watched...)
	b.ReportAllocs()
	b.ResetTimer()
	for _, batch := range batches {
		if err := hub.Ingest(batch); err != nil {
			b.Fatal(err)
		}
		hub.Publish()
		if len(watched) > 0 {
			hub.Shards()[0].Pass(time.Now())
		}
	}
}

// BenchmarkIngest is one tick with nobody listening.
func BenchmarkIngest(b *testing.B) { benchIngest(b) }

// BenchmarkIngestWatched is one tick encoded and delivered to one client of all
// symbols.
func BenchmarkIngestWatched(b *testing.B) { benchIngest(b, fanout.Raw) }

// BenchmarkIngestMerged is the same at merged levels: one each, and all at once.
func BenchmarkIngestMerged(b *testing.B) {
	for _, level := range merged() {
		b.Run(level.String()+","+level.Quotes(), func(b *testing.B) { benchIngest(b, level) })
	}
	b.Run("all", func(b *testing.B) { benchIngest(b, merged()...) })
	b.Run("raw and all", func(b *testing.B) { benchIngest(b, shared()...) })
}

// BenchmarkDeliver is one message to one of a thousand clients of a symbol.
func BenchmarkDeliver(b *testing.B) { benchDeliver(b, fanout.Raw) }

// BenchmarkDeliverMerged is one agg or quote, or both, to one of a thousand clients.
func BenchmarkDeliverMerged(b *testing.B) { benchDeliver(b, fanout.Merged100ms) }

// benchDeliver counts flushes: of each tick at raw, of each window else.
func benchDeliver(b *testing.B, level fanout.Level) {
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
		sub.Start(func() {
			sub.Subscribe(&fanout.Request{Symbols: hub.Directory().Symbols, Set: fanout.Both, Group: fanout.Group{Resolution: level}})
		})
	}
	settle(hub)
	b.ReportAllocs()
	b.ResetTimer()
	for n := 0; n < b.N; n += clients {
		b.StopTimer()
		for range 1 + level.Window()/int64(10*time.Millisecond) {
			tp.step(20 * time.Millisecond)
		}
		if err := f.all(); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		shard.Pass(time.Now())
	}
}

// BenchmarkSubscribe is a client that comes, asks for 50 symbols and goes, while
// others watch the same.
func BenchmarkSubscribe(b *testing.B) {
	for _, level := range []fanout.Level{fanout.Raw, fanout.Merged1s} {
		b.Run(level.String(), func(b *testing.B) {
			hub, _ := benchTape(b, level)
			r := fanout.Request{Symbols: hub.Directory().Symbols[:50], Set: fanout.Both, Group: fanout.Group{Resolution: level}}
			shard, now := hub.Shards()[0], time.Now()
			b.ReportAllocs()
			for b.Loop() {
				sub := shard.NewSubscriber(discard{}, fanout.Frames, nil)
				sub.Start(func() { sub.Subscribe(&r) })
				shard.Pass(now)
				sub.Gone()
				shard.Pass(now)
			}
		})
	}
}
