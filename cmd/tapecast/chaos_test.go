package main

import (
	"fmt"
	"testing"
	"time"

	"github.com/tapecast/tapecast/fanout/bench"
	"github.com/tapecast/tapecast/fanout/client"
)

// TestChaos loads a node on a real Kafka with clients of which a tenth reads 2 kB/s,
// a twentieth nothing, and a twentieth comes back every second. Every client's
// ranges tile, and the sums of those with the full check agree with the topic. The
// same load without the slow ones comes first, to tell what they cost the others.
// Full form: 2,000 clients.
func TestChaos(t *testing.T) {
	broker := startKafka(t)
	start(t, "feed", "--kafka", broker.Addr())
	node := startNode(t, "--kafka", broker.Addr())
	clients, each := 200, 3
	if full() {
		clients = 2000
	}
	o := bench.Options{
		URL: node.url, PID: node.cmd.Process.Pid, Clients: clients, Each: each, Warmup: 3 * time.Second, Duration: span(t, 4*time.Second), Checked: 20,
	}
	calm := load(t, "steady clients alone", broker.Addr(), o)
	o.Slow, o.SlowRate, o.Stalled, o.Reconnecting, o.ReconnectEvery = clients/10, 2000, clients/20, clients/20, time.Second
	chaos := load(t, "with slow, stalled and reconnecting ones", broker.Addr(), o)
	if calm == nil || chaos == nil {
		return
	}
	t.Logf("p99 of the steady ones: %d µs alone, %d µs with the others: %.2f times", calm.Latency.P99, chaos.Latency.P99,
		float64(chaos.Latency.P99)/float64(calm.Latency.P99))
	t.Logf("the node's memory in the window: %.1f MiB, %.1f at its end", chaos.Server.RSSBegin, chaos.Server.RSSEnd)
	if chaos.SlowGot == 0 || chaos.Reconnects == 0 {
		t.Error("there was no chaos")
	}
}

// load runs one load and fails the test if a client missed something.
func load(t *testing.T, name, broker string, o bench.Options) *bench.Result {
	t.Helper()
	var want map[string]*truth
	o.Verify = func(got *client.Tiling) error {
		if want == nil {
			want = readTruth(t, broker, ticksTopic)
		}
		return verify(got, want)
	}
	b, err := bench.New(o)
	if err != nil {
		t.Fatal(err)
	}
	r, err := b.Run(t.Context())
	if err != nil {
		t.Errorf("%s: %v", name, err)
		return nil
	}
	t.Logf("%s:\n%s", name, r)
	if err := r.Err(); err != nil {
		t.Errorf("%s: %v", name, err)
	}
	if r.Checked.Covered == 0 {
		t.Errorf("%s: nothing was checked", name)
	}
	return r
}

// verify holds the ranges of a client against the topic.
func verify(got *client.Tiling, want map[string]*truth) error {
	for _, name := range got.Symbols() {
		tr := want[name]
		if tr == nil {
			return fmt.Errorf("the topic has no %s", name)
		}
		for _, part := range got.Segments(name) {
			sum, err := tr.sum(part.First, part.Seq)
			if err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			if err := got.Compare(name, part, sum); err != nil {
				return err
			}
		}
	}
	return nil
}
