package main

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/tapecast/tapecast/fanout"
	"github.com/tapecast/tapecast/fanout/client"
	"github.com/tapecast/tapecast/feed/kafka/embedded"
)

// startEmbedded starts the broker that needs no Java and returns its address.
func startEmbedded(t *testing.T) string {
	t.Helper()
	b, err := embedded.Start(context.WithoutCancel(t.Context()), embedded.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	return b.Addr()
}

// startBroken runs nodes with faults in this process, as the program has no flag
// for them, and returns their addresses when all are ready.
func startBroken(t *testing.T, broker string, faults []fanout.Faults) []string {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	g, ctx := errgroup.WithContext(ctx)
	t.Cleanup(func() {
		cancel()
		if err := g.Wait(); err != nil {
			t.Error(err)
		}
	})
	urls := make([]string, len(faults))
	var starting sync.WaitGroup
	for i := range faults {
		c := nodeConfig{
			kafka:  kafkaConfig{brokers: []string{broker}, topic: ticksTopic, bars: barsTopic},
			serve:  serveConfig{listen: "127.0.0.1:0", admin: "127.0.0.1:0", window: time.Minute, shards: 1, sendBuffer: 16 << 10},
			faults: faults[i],
		}
		starting.Add(1)
		done := sync.OnceFunc(starting.Done)
		g.Go(func() error {
			defer done()
			return c.run(ctx, slog.New(slog.DiscardHandler), newRegistry(), func(url string) { urls[i] = url; done() })
		})
	}
	starting.Wait()
	if slices.Contains(urls, "") {
		t.Fatalf("a node ended before it was ready: %v", g.Wait())
	}
	return urls
}

// watched is a fleet at a node of its own. Its last client polls with so small a
// limit that most of what it gets is merged.
type watched struct {
	*fleet
	aggs atomic.Uint64 // that the last client got
}

func watch(t *testing.T, url string) *watched {
	t.Helper()
	w := &watched{fleet: startFleet(t, 1, nil, url)}
	w.add(t, func(_ *member, m *client.Message) {
		if m.Type == client.TypeAgg {
			w.aggs.Add(1)
		}
	}, client.Options{Base: url, Transport: client.ShortPoll, Limit: 100})
	return w
}

// TestBrokenNodeIsFound shows what the fleet's check is worth: clients of a sound
// node pass, and those of nodes that lose a tick, a unit of volume or a low fail,
// as does one that got less than the topic has.
func TestBrokenNodeIsFound(t *testing.T) {
	broker := startEmbedded(t)
	// Few symbols: each brings a history that all the nodes load.
	feeder := start(t, "feed", "--kafka", broker, "--rate", "2000", "--symbols", "AAPL,MSFT,KO,BTCUSDT,SOLUSDT,DOTUSDT")
	urls := startBroken(t, broker, []fanout.Faults{{}, {LoseEvery: 1000}, {LoseVolume: true}, {LoseLow: true}})
	sound, tick, volume, low := watch(t, urls[0]), watch(t, urls[1]), watch(t, urls[2]), watch(t, urls[3])
	early := watch(t, urls[0])

	time.Sleep(3 * time.Second)
	early.stop()
	time.Sleep(2 * time.Second)
	if err := feeder.stop(); err != nil {
		t.Fatalf("feeder: %v", err)
	}
	want := readTruth(t, broker, ticksTopic)
	for _, w := range []*watched{sound, tick, volume, low} {
		w.reach(want, 5*time.Second)
		if w.aggs.Load() == 0 {
			t.Error("nothing was merged")
		}
	}
	if err := sound.check(want); err != nil {
		t.Errorf("a sound node: %v", err)
	}
	t.Log("a sound node:", sound.summary())
	for _, c := range []struct {
		lost    string
		members []*member // that must find it
		words   []string  // that say so, one of them
	}{
		// Streams bring every tick by itself, or on a busy machine merged: then trades
		// show by their count what is lost, and quotes don't.
		{"a tick in 1,000", tick.members[:2], []string{" missing", "got up to", "count is"}},
		{"a unit of volume", volume.members, []string{"volume is"}},
		{"the low of merges", low.members[len(transports):], []string{"low is"}},
		{"the end", early.members, []string{"got up to"}},
	} {
		for _, m := range c.members {
			err := m.check(want)
			if err == nil || !mentions(err, c.words) {
				t.Errorf("%s was lost, and a client over %s says: %v", c.lost, m.transport, err)
				continue
			}
			t.Logf("%s was lost; a client over %s: %.150s", c.lost, m.transport, err)
		}
	}
}

func mentions(err error, words []string) bool {
	for _, w := range words {
		if strings.Contains(err.Error(), w) {
			return true
		}
	}
	return false
}
