package server_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/tapecast/tapecast/fanout"
	"github.com/tapecast/tapecast/fanout/client"
	"github.com/tapecast/tapecast/fanout/server"
	"github.com/tapecast/tapecast/fanout/socket"
	"github.com/tapecast/tapecast/fanout/wire"
	"github.com/tapecast/tapecast/feed"
)

const testTape feed.TapeID = 7

// market is a server whose hub is fed by hand.
type market struct {
	url     string
	batches chan *fanout.Batch
	offset  int64
	seq     uint64
}

func startMarket(t *testing.T) *market {
	t.Helper()
	hub, err := fanout.New(fanout.Options{Encoder: wire.JSON{}, From: feed.Position{0}})
	if err != nil {
		t.Fatal(err)
	}
	driver, err := socket.New(socket.Options{})
	if err != nil {
		t.Fatal(err)
	}
	srv, err := server.New(server.Options{Hub: hub, Driver: driver, Node: "test"})
	if err != nil {
		t.Fatal(err)
	}
	ln, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	m := &market{url: "http://" + ln.Addr().String(), batches: make(chan *fanout.Batch)}
	serve, stopServer := context.WithCancel(context.Background())
	engine, stopEngine := context.WithCancel(context.Background())
	served, done := make(chan error, 1), make(chan error, 2)
	go func() { served <- srv.Serve(serve, ln) }()
	go func() { done <- driver.Run(engine, hub.Shards()) }()
	go func() { done <- hub.Run(engine, m.batches, func(*fanout.Batch) {}) }()
	t.Cleanup(func() {
		stopServer()
		begin := time.Now()
		if err := <-served; err != nil {
			t.Errorf("serving: %v", err)
		}
		stopEngine()
		for range cap(done) {
			if err := <-done; err != nil && !errors.Is(err, context.Canceled) {
				t.Errorf("the engine: %v", err)
			}
		}
		if took := time.Since(begin); took > 5*time.Second {
			t.Errorf("the drain took %v", took)
		}
	})
	now := time.Now().UnixNano()
	m.write(feed.Record{Kind: feed.KindClock, Clock: feed.Clock{TS: now, Tape: testTape, Symbols: 1}}, "")
	m.write(feed.Record{Kind: feed.KindKeyframe, Keyframe: &feed.Keyframe{TS: now, Tape: testTape, Instrument: feed.Instrument{
		Name: "Apple", Class: feed.Stock, Tick: 1, Lot: 1, Decimals: 2,
	}}}, "AAPL")
	for !hub.Ready() || hub.Directory().Lookup("AAPL").State().Trade.Seq == 0 {
		m.trade()
	}
	return m
}

func (m *market) write(r feed.Record, symbol string) {
	b := &fanout.Batch{Records: []fanout.Record{{Record: r, Offset: m.offset, Symbol: symbol}}, Next: m.offset + 1, End: m.offset + 1}
	m.offset++
	m.batches <- b
}

func (m *market) trade() {
	m.seq++
	m.write(feed.Record{Kind: feed.KindTrade, Tick: feed.Tick{
		Kind: feed.KindTrade, Seq: m.seq, TS: time.Now().UnixNano(), Price: 18_900 + feed.Price(m.seq%100), Size: 100, Side: feed.Buy,
	}}, "AAPL")
}

// TestOneClientOverAllTransports changes the transport of a running client again
// and again: nothing is lost or repeated.
func TestOneClientOverAllTransports(t *testing.T) {
	m := startMarket(t)
	c, err := client.New(client.Options{
		Base: m.url, Symbols: []string{"AAPL"}, PollInterval: 20 * time.Millisecond, PollWait: time.Second, MaxBackoff: 50 * time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	var tiling client.Tiling
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	got := make(chan uint64, 1<<16)
	ended := make(chan error, 1)
	go func() {
		ended <- c.Run(ctx, func(msg *client.Message) error {
			tiling.Observe(msg)
			if msg.Type == client.TypeTrade || msg.Type == client.TypeAgg {
				got <- msg.Seq
			}
			return nil
		})
	}()
	last := uint64(0)
	for round := range 8 {
		if err := c.Switch(client.Transport(round % 4)); err != nil {
			t.Fatal(err)
		}
		want := m.seq
		for last < want+50 {
			m.trade()
			select {
			case last = <-got:
			case <-time.After(5 * time.Millisecond):
			case <-ctx.Done():
				t.Fatalf("stuck at trade %d of %d, round %d", last, m.seq, round)
			}
		}
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	report := tiling.Report()
	if err := report.Err(); err != nil || report.Gaps != 0 {
		t.Errorf("%v, %d gaps", err, report.Gaps)
	}
	if s := c.Stats(); s.Doubled != 0 || s.Overlaps != 0 {
		t.Errorf("%d doubled, %d overlaps", s.Doubled, s.Overlaps)
	}
}

// TestRefusals checks that bad requests are answered in words, with the right
// status.
func TestRefusals(t *testing.T) {
	m := startMarket(t)
	for path, want := range map[string]struct {
		status int
		code   string
	}{
		"/v1/poll":                                    {400, "bad_request"},
		"/v1/poll?symbols=NOPE&wait=0":                {404, "unknown_symbol"},
		"/v1/poll?symbols=AAPL&wait=soon":             {400, "bad_request"},
		"/v1/poll?symbols=AAPL&cursor=garbled":        {400, "bad_cursor"},
		"/v1/events?symbols=AAPL&channels=gossip":     {400, "bad_request"},
		"/v1/events?symbols=AAPL&resolution=7s":       {400, "bad_request"},
		"/v1/bars?symbol=AAPL&interval=7m":            {400, "bad_request"},
		"/v1/bars?symbol=NOPE&interval=1m":            {404, "unknown_symbol"},
		"/v1/snapshot?symbols=NOPE":                   {404, "unknown_symbol"},
		"/v1/ticks?symbol=AAPL&limit=-1":              {400, "bad_request"},
		"/v1/nothing":                                 {404, "not_found"},
		"/v1/stream?symbols=AAPL":                     {426, "upgrade_required"},
		"/v1/events?symbols=AAPL&cursor=x&start=-10m": {400, "bad_request"},
	} {
		status, body := get(t, m.url+path)
		if status != want.status || !strings.Contains(body, fmt.Sprintf(`"code":%q`, want.code)) {
			t.Errorf("%s: %d %s, want %d %s", path, status, body, want.status, want.code)
		}
	}
}

// TestAnswers checks what single questions are answered.
func TestAnswers(t *testing.T) {
	m := startMarket(t)
	for path, want := range map[string]string{
		"/v1/symbols":                                  `"sym":"AAPL"`,
		"/v1/snapshot?symbols=AAPL":                    `"type":"snapshot"`,
		"/v1/bars?symbol=AAPL&interval=1m":             `"final":false`,
		"/v1/ticks?symbol=AAPL&channel=trades&limit=1": `"seq":1`,
		"/v1/poll?symbols=AAPL&wait=0":                 `"type":"snapshot"`,
		"/v1/stats":                                    `"uptime`,
		"/healthz":                                     "",
		"/readyz":                                      "",
	} {
		status, body := get(t, m.url+path)
		if status != http.StatusOK || !strings.Contains(body, want) {
			t.Errorf("%s: %d %s, want %s", path, status, body, want)
		}
	}
}

func get(t *testing.T, url string) (int, string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}
