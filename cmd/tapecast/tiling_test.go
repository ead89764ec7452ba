package main

import (
	"testing"
	"time"

	kafkatest "github.com/tapecast/tapecast/deploy/kafka"
)

// startKafka starts a real broker, or skips the test where there is none.
func startKafka(t *testing.T) *kafkatest.Broker {
	t.Helper()
	b, err := kafkatest.Start(t.Context(), kafkatest.Options{})
	if err != nil {
		kafkatest.Unavailable(t, err)
	}
	t.Cleanup(func() {
		if err := b.Stop(); err != nil {
			t.Error(err)
		}
	})
	return b
}

// countTwice returns how many records of the topic repeat a seq.
func countTwice(want map[string]*truth) int {
	n := 0
	for _, tr := range want {
		n += tr.twice
	}
	return n
}

// TestTiling holds what clients of all transports get of a node on a real Kafka
// against the topic. Full form: 50 clients per transport.
func TestTiling(t *testing.T) {
	broker := startKafka(t)
	feeder := start(t, "feed", "--kafka", broker.Addr())
	start(t, "bars", "--kafka", broker.Addr())
	node := startNode(t, "--kafka", broker.Addr())
	clients := 5
	if full() {
		clients = 50
	}
	f := startFleet(t, clients, nil, node.url)
	time.Sleep(span(t, 6*time.Second))
	if err := feeder.stop(); err != nil {
		t.Fatalf("feeder: %v", err)
	}
	want := readTruth(t, broker.Addr(), ticksTopic)
	f.reach(want, 20*time.Second)
	if err := f.check(want); err != nil {
		t.Error(err)
	}
	t.Logf("%s; %d records of the topic were repeats", f.summary(), countTwice(want))
}
