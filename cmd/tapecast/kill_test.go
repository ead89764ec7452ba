package main

import (
	"context"
	"testing"
	"time"
)

// TestKill kills a node, the feeder and the broker in turn while clients of all
// transports watch two nodes, and switches their transports. Every client still
// tiles, without a gap, and a switch repeats nothing.
func TestKill(t *testing.T) {
	broker := startKafka(t)
	feed := func() *process { return start(t, "feed", "--kafka", broker.Addr()) }
	feeder := feed()
	start(t, "bars", "--kafka", broker.Addr())
	nodes := []*nodeProcess{startNode(t, "--kafka", broker.Addr()), startNode(t, "--kafka", broker.Addr())}
	f := startFleet(t, 4, nil, nodes[0].url, nodes[1].url)

	pause := 2 * time.Second
	rounds := 1
	if full() {
		rounds = 3
	}
	time.Sleep(pause)
	for round := range rounds {
		nodes[round%2].kill9()
		time.Sleep(pause)
		nodes[round%2].restart(t)
		t.Log("killed and restarted a node:", f.summary())

		feeder.kill9()
		time.Sleep(pause)
		feeder = feed()
		time.Sleep(pause)
		t.Log("killed and restarted the feeder:", f.summary())

		if err := broker.Kill9(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(pause)
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		err := broker.Restart(ctx)
		cancel()
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(pause)
		t.Log("killed and restarted the broker:", f.summary())
		for places := 1; places < len(transports); places++ { // from each transport to each other one
			f.turn(t, places)
		}
		t.Log("switched transports:", f.summary())
	}
	if err := feeder.stop(); err != nil {
		t.Fatalf("feeder: %v", err)
	}
	want := readTruth(t, broker.Addr(), ticksTopic)
	f.reach(want, 20*time.Second)
	if err := f.check(want); err != nil {
		t.Error(err)
	}
	if n := countTwice(want); n > 0 {
		t.Errorf("%d records of the topic are repeats", n)
	}
	t.Log(f.summary())
}
