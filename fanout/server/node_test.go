package server_test

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tapecast/tapecast/fanout"
	"github.com/tapecast/tapecast/fanout/server"
	"github.com/tapecast/tapecast/fanout/socket"
	"github.com/tapecast/tapecast/fanout/wire"
	"github.com/tapecast/tapecast/feed"
)

// tape is a tape of three symbols on two lanes, and the hub that reads it.
type tape struct {
	t    *testing.T
	id   feed.TapeID
	hub  *fanout.Hub
	mu   sync.Mutex // a test may feed from a goroutine of its own
	next []int64
	seqs map[string]*[feed.Channels]uint64
	ts   int64
}

const lanes = 2

func symbols() []string { return []string{"AAPL", "BTCUSDT", "MSFT"} }

// newTape makes a hub that is ready.
func newTape(t *testing.T, id feed.TapeID, reg prometheus.Registerer) *tape {
	t.Helper()
	hub, err := fanout.New(fanout.Options{Encoder: wire.JSON{}, From: make(feed.Position, lanes), Registerer: reg})
	if err != nil {
		t.Fatal(err)
	}
	f := &tape{t: t, id: id, hub: hub, next: make([]int64, lanes), seqs: map[string]*[feed.Channels]uint64{}, ts: time.Now().UnixNano()}
	count := make([]int, lanes)
	for _, s := range symbols() {
		f.seqs[s] = new([feed.Channels]uint64)
		count[feed.Lane(s, lanes)]++
	}
	for lane := range lanes {
		f.add(lane, "", feed.Record{Kind: feed.KindClock, Clock: feed.Clock{TS: f.ts, Tape: id, Symbols: count[lane]}})
	}
	for _, s := range symbols() {
		f.add(feed.Lane(s, lanes), s, feed.Record{Kind: feed.KindKeyframe, Keyframe: &feed.Keyframe{
			TS: f.ts, Tape: id, Instrument: feed.Instrument{Symbol: s, Name: s, Class: feed.Stock, Tick: 1, Lot: 1, Decimals: 2},
		}})
	}
	f.hub.Publish()
	if !hub.Ready() {
		t.Fatal("the hub is not ready")
	}
	return f
}

func (f *tape) add(lane int, symbol string, r feed.Record) {
	b := &fanout.Batch{Lane: lane, Records: []fanout.Record{{Record: r, Offset: f.next[lane], Symbol: symbol}}}
	f.next[lane]++
	b.Next, b.End = f.next[lane], f.next[lane]
	if err := f.hub.Ingest(b); err != nil {
		f.t.Error(err)
	}
}

// tick ingests a trade or quote of a symbol; it is visible after publish.
func (f *tape) tick(symbol string, kind feed.Kind) {
	f.ts += int64(time.Millisecond)
	seq := &f.seqs[symbol][kind.Channel()]
	*seq++
	tick := feed.Tick{Kind: kind, Seq: *seq, TS: f.ts, Price: feed.Price(10_000 + *seq%50), Size: feed.Size(1 + *seq%7), Side: feed.Buy}
	switch kind {
	case feed.KindQuote:
		tick.Ask, tick.AskSize = tick.Price+1, 5
	case feed.KindStatus:
		tick.Note = &feed.Note{State: feed.Halted, Reason: "LULD"}
	}
	f.add(feed.Lane(symbol, lanes), symbol, feed.Record{Kind: kind, Tick: tick})
}

// trades publishes n trades of a symbol, one by one.
func (f *tape) trades(symbol string, n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for range n {
		f.tick(symbol, feed.KindTrade)
		f.hub.Publish()
	}
}

// pump publishes trades and quotes of all symbols until the returned function
// is called.
func (f *tape) pump() (stop func()) {
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		ticker := time.NewTicker(time.Millisecond)
		defer ticker.Stop()
		for i := 0; ; i++ {
			select {
			case <-done:
				return
			case <-ticker.C:
			}
			f.mu.Lock()
			for _, s := range symbols() {
				f.tick(s, feed.KindTrade)
				f.tick(s, feed.KindQuote)
				if i%50 == 0 {
					f.tick(s, feed.KindStatus)
				}
			}
			f.hub.Publish()
			f.mu.Unlock()
		}
	}()
	return func() {
		close(done)
		<-ended
	}
}

// run runs a driver for the hub, and takes up the hub's requests for streams, as
// ingest does.
func (f *tape) run(t *testing.T) (*socket.Driver, func()) {
	t.Helper()
	driver, err := socket.New(socket.Options{Linger: 200 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := driver.Run(ctx, f.hub.Shards()); err != nil {
			t.Error(err)
		}
	})
	wg.Go(func() {
		ticker := time.NewTicker(time.Millisecond)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
				f.mu.Lock()
				f.hub.Publish()
				f.mu.Unlock()
			}
		}
	})
	return driver, func() {
		cancel()
		wg.Wait()
	}
}

// node is a server on a port of its own.
type node struct {
	*tape
	t      *testing.T
	server *server.Server
	url    string
	http   *http.Client         // that trusts it; nil: any does
	stop   func() time.Duration // drains it; returns how long that took
	stops  func()               // stops the driver
}

// startNode starts a server; change may be nil.
func startNode(t *testing.T, change func(*server.Options)) *node {
	t.Helper()
	ln, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	n := startNodeOn(t, ln, change)
	n.url = "http://" + ln.Addr().String()
	return n
}

// startNodeOn starts a server on a listener.
func startNodeOn(t *testing.T, ln net.Listener, change func(*server.Options)) *node {
	t.Helper()
	reg := prometheus.NewRegistry()
	f := newTape(t, testTape, reg)
	driver, stopDriver := f.run(t)
	o := server.Options{Hub: f.hub, Driver: driver, Node: "test", Registerer: reg, Gatherer: reg, Page: fstest.MapFS{
		"index.html":         {Data: []byte("<!doctype html><title>Tapecast</title>")},
		"assets/app-1234.js": {Data: []byte("export {}")},
		".gitkeep":           {},
	}}
	if change != nil {
		change(&o)
	}
	srv, err := server.New(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- srv.Serve(ctx, ln) }()
	n := &node{tape: f, t: t, server: srv, stops: stopDriver}
	n.stop = sync.OnceValue(func() time.Duration {
		begin := time.Now()
		cancel()
		if err := <-served; err != nil {
			t.Errorf("serving: %v", err)
		}
		return time.Since(begin)
	})
	t.Cleanup(func() {
		if took := n.stop(); took > 2*time.Second {
			t.Errorf("the drain took %v", took)
		}
		stopDriver()
	})
	return n
}

// client returns who asks it.
func (n *node) client() *http.Client {
	if n.http != nil {
		return n.http
	}
	return http.DefaultClient
}

// message is a message of the protocol, as far as the tests look at it.
type message struct {
	Type, Sym, ID, Code, Message, Cursor, Tape, Channel, Reason, Node string
	First, Seq, N                                                     uint64
	Count                                                             int `json:"-"`
	Symbols                                                           json.RawMessage
	Channels                                                          []string
	Resolution, Trades                                                json.RawMessage
	Trade, Quote                                                      *message
	MaxSymbols                                                        int   `json:"max_symbols"`
	Retry                                                             int64 `json:"retry_ms"`
	Final                                                             bool
}

func decode(t *testing.T, raw []byte) message {
	t.Helper()
	var m message
	if err := json.Unmarshal(raw, &m); err != nil {
		t.Fatalf("%s: %v", raw, err)
	}
	return m
}

func encoder() fanout.Encoder { return wire.JSON{} }
