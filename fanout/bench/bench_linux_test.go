package bench

import (
	"context"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tapecast/tapecast/fanout"
	"github.com/tapecast/tapecast/fanout/server"
	"github.com/tapecast/tapecast/fanout/socket"
	"github.com/tapecast/tapecast/fanout/wire"
	"github.com/tapecast/tapecast/feed"
)

// node is a server in this process, and the tape it reads.
type node struct {
	t    *testing.T
	hub  *fanout.Hub
	url  string
	mu   sync.Mutex
	next int64
	seqs map[string]uint64
}

func testSymbols() []string { return []string{"AAPL", "BTCUSDT", "MSFT"} }

// startNode starts a server of three symbols.
func startNode(t *testing.T, faults fanout.Faults) *node {
	t.Helper()
	hub, err := fanout.New(fanout.Options{Encoder: wire.JSON{}, From: make(feed.Position, 1), Faults: faults})
	if err != nil {
		t.Fatal(err)
	}
	n := &node{t: t, hub: hub, seqs: map[string]uint64{}}
	now := time.Now().UnixNano()
	n.add("", feed.Record{Kind: feed.KindClock, Clock: feed.Clock{TS: now, Tape: 7, Symbols: len(testSymbols())}})
	for _, s := range testSymbols() {
		n.add(s, feed.Record{Kind: feed.KindKeyframe, Keyframe: &feed.Keyframe{
			TS: now, Tape: 7, Instrument: feed.Instrument{Symbol: s, Name: s, Class: feed.Stock, Tick: 1, Lot: 1, Decimals: 2},
		}})
	}
	hub.Publish()
	n.serve()
	return n
}

// serve runs driver, server and the hub's housekeeping until the test ends.
func (n *node) serve() {
	driver, err := socket.New(socket.Options{Linger: 100 * time.Millisecond})
	if err != nil {
		n.t.Fatal(err)
	}
	srv, err := server.New(server.Options{Hub: n.hub, Driver: driver, Node: "test"})
	if err != nil {
		n.t.Fatal(err)
	}
	ln, err := (&net.ListenConfig{}).Listen(n.t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		n.t.Fatal(err)
	}
	n.url = "http://" + ln.Addr().String()
	serving, stop := context.WithCancel(context.Background())
	engine, stopEngine := context.WithCancel(context.Background())
	var wg, served sync.WaitGroup
	served.Go(func() {
		if err := srv.Serve(serving, ln); err != nil {
			n.t.Error(err)
		}
	})
	wg.Go(func() {
		if err := driver.Run(engine, n.hub.Shards()); err != nil {
			n.t.Error(err)
		}
	})
	wg.Go(func() {
		for every := time.NewTicker(time.Millisecond); engine.Err() == nil; <-every.C {
			n.mu.Lock()
			n.hub.Publish()
			n.mu.Unlock()
		}
	})
	n.t.Cleanup(func() {
		stop()
		served.Wait()
		stopEngine()
		wg.Wait()
	})
}

func (n *node) add(symbol string, r feed.Record) {
	b := &fanout.Batch{Records: []fanout.Record{{Record: r, Offset: n.next, Symbol: symbol}}}
	n.next++
	b.Next, b.End = n.next, n.next
	if err := n.hub.Ingest(b); err != nil {
		n.t.Error(err)
	}
}

// trades publishes a trade of each symbol.
func (n *node) trades() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, s := range testSymbols() {
		n.seqs[s]++
		n.add(s, feed.Record{Kind: feed.KindTrade, Tick: feed.Tick{
			Kind: feed.KindTrade, Seq: n.seqs[s], TS: time.Now().UnixNano(), Price: 10_000, Size: 5, Side: feed.Buy,
		}})
	}
	n.hub.Publish()
}

// pump publishes until the test ends, or exactly so many rounds if that is not 0,
// from the beginning of the measurement on.
type pump struct {
	node   *node
	rounds int
	begun  chan struct{}
	once   sync.Once
}

func (p *pump) run(ctx context.Context) {
	if p.rounds > 0 {
		select {
		case <-p.begun:
		case <-ctx.Done():
		}
	}
	every := time.NewTicker(5 * time.Millisecond)
	defer every.Stop()
	for i := 0; ctx.Err() == nil && (p.rounds == 0 || i < p.rounds); i++ {
		p.node.trades()
		select {
		case <-every.C:
		case <-ctx.Done():
		}
	}
}

// load runs a measurement of a node while a pump publishes.
func load(t *testing.T, n *node, rounds int, o Options) *Result {
	t.Helper()
	p := &pump{node: n, rounds: rounds, begun: make(chan struct{})}
	o.URL, o.Channels = n.url, []string{"trades"}
	o.Progress = func(now Progress) {
		if now.Phase == "measuring" {
			p.once.Do(func() { close(p.begun) })
		}
	}
	b, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { p.run(ctx) })
	r, err := b.Run(ctx)
	stop()
	wg.Wait()
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("\n%s", r)
	return r
}

// Every tick that is published while the window is open is counted once for each
// client that watches it, on every transport.
func TestCounts(t *testing.T) {
	t.Parallel()
	for transport, o := range map[string]Options{
		"ws":         {Clients: 200, Duration: 2 * time.Second, Checked: 20, PID: os.Getpid()},
		"sse":        {Clients: 60, Each: 2, Duration: 2 * time.Second, Checked: 10},
		"poll":       {Clients: 30, Each: All, Duration: 2 * time.Second, Checked: 10},
		"short-poll": {Clients: 30, PollEvery: 100 * time.Millisecond, Duration: 2 * time.Second, Checked: 10},
	} {
		t.Run(transport, func(t *testing.T) {
			t.Parallel()
			const rounds = 100
			o.Transport = transport
			r := load(t, startNode(t, fanout.Faults{}), rounds, o)
			want := uint64(rounds * o.Clients * r.Each)
			if r.Got != want || r.Expected != want {
				t.Errorf("got %d ticks, expected %d; %d were published for them", r.Got, r.Expected, want)
			}
			if err := r.Err(); err != nil || r.Lost > 0 || r.Tiling.Gaps > 0 || r.Tiling.Unasked > 0 {
				t.Errorf("%v, lost %d, %+v", err, r.Lost, r.Tiling)
			}
			if r.Checked.Clients != o.Checked || r.Checked.Covered != uint64(rounds*o.Checked*r.Each) {
				t.Errorf("fully checked: %+v", r.Checked)
			}
			if r.Latency.P50 < 1 || r.Latency.Max > 2_000_000 || r.BytesPerTick < 80 {
				t.Errorf("latency %v, %.1f bytes a tick", r.Latency, r.BytesPerTick)
			}
			if s := r.Server; s != nil && (s.Cores <= 0 || s.MicrosPerTick <= 0 || s.RSSBegin <= 1) {
				t.Errorf("%+v", s)
			}
		})
	}
}

// What a server loses is found by the cheap check of all clients, and by the full
// one of the sample.
func TestLossIsFound(t *testing.T) {
	t.Parallel()
	for _, transport := range []string{"ws", "sse"} {
		r := load(t, startNode(t, fanout.Faults{LoseEvery: 20}), 0, Options{Transport: transport, Clients: 50, Duration: time.Second, Checked: 5})
		if r.Tiling.Holes == 0 || r.Checked.Holes == 0 || r.Err() == nil {
			t.Errorf("%s: %+v, %+v, %v", transport, r.Tiling, r.Checked, r.Err())
		}
	}
}

// Clients that are slow, read nothing or reconnect do not miss a tick, and do not
// count with those that are steady.
func TestUnsteadyClients(t *testing.T) {
	t.Parallel()
	for _, transport := range []string{"ws", "sse"} {
		r := load(t, startNode(t, fanout.Faults{}), 0, Options{
			Transport: transport, Clients: 60, Each: 2, Duration: 1500 * time.Millisecond, Checked: 5,
			Slow: 10, SlowRate: 2000, Stalled: 5, Reconnecting: 15, ReconnectEvery: 300 * time.Millisecond,
		})
		if err := r.Err(); err != nil || r.Lost > 0 {
			t.Errorf("%s: %v, lost %d: %v", transport, err, r.Lost, r.Why)
		}
		if r.Reconnects < 30 || r.ResumingGot == 0 || r.SlowGot == 0 || r.SlowLatency.P50 < r.Latency.P50 {
			t.Errorf("%s: resumed %d times, %d ticks; slow: %d ticks, %v", transport, r.Reconnects, r.ResumingGot, r.SlowGot, r.SlowLatency)
		}
		if r.Checked.Clients != 15 || r.Checked.Covered == 0 {
			t.Errorf("%s: fully checked: %+v; want 5 of each sort", transport, r.Checked)
		}
		// A slow client gets 2 kB/s and what its kernel has taken for it, not all.
		if perSecond := float64(r.SlowGot) / float64(r.Slow) / r.Seconds * r.BytesPerTick; perSecond > 4000 {
			t.Errorf("%s: slow clients got %.0f bytes/s each", transport, perSecond)
		}
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	n := startNode(t, fanout.Faults{})
	ln, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := ln.Addr().String()
	ln.Close()
	for words, o := range map[string]Options{
		"unknown_symbol":         {URL: n.url, Symbols: []string{"NOPE"}},
		"is the server running":  {PeerURL: "ws://" + nobody, Symbols: []string{"A"}},
		"for its symbols":        {URL: "http://" + nobody},
		"answered the handshake": {PeerURL: strings.Replace(n.url, "http", "ws", 1) + "/nothing", Symbols: []string{"A"}},
		"the server's process":   {URL: n.url, PID: 1 << 30},
		"the server's metrics":   {URL: n.url, Admin: "http://" + nobody},
		"open files":             {URL: n.url, Clients: 100_000_000},
	} {
		if o.Clients == 0 {
			o.Clients = 3
		}
		o.Duration = 100 * time.Millisecond
		b, err := New(o)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := b.Run(t.Context()); err == nil || !strings.Contains(err.Error(), words) {
			t.Errorf("%q: %v", words, err)
		}
	}
}

// A measurement ends when it is told to, before its time.
func TestCancelled(t *testing.T) {
	t.Parallel()
	n := startNode(t, fanout.Faults{})
	ctx, stop := context.WithCancel(t.Context())
	b, err := New(Options{URL: n.url, Clients: 5, Duration: time.Hour, Progress: func(Progress) { stop() }})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Run(ctx); err == nil {
		t.Error("an hour has passed")
	}
}

// A server that takes clients and lets some go at once is measured all the same,
// and what it has lost is told.
func TestLetGo(t *testing.T) {
	t.Parallel()
	ln, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		var kept []net.Conn
		for i := 0; ; i++ {
			conn, err := ln.Accept()
			if err != nil {
				break
			}
			if kept = append(kept, conn); i%2 == 0 {
				conn.Close()
			}
		}
		for _, conn := range kept {
			conn.Close()
		}
	})
	b, err := New(Options{PeerURL: "tcp://" + ln.Addr().String(), PeerSubscribe: []string{"{syms}\n"}, Symbols: []string{"A"}, Clients: 40, Duration: 200 * time.Millisecond, Warmup: 100 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	r, err := b.Run(t.Context())
	ln.Close()
	wg.Wait()
	if err != nil || r.Lost != 20 || len(r.Why) == 0 {
		t.Errorf("%v, %+v", err, r)
	}
}
