package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/tapecast/tapecast/charts"
	"github.com/tapecast/tapecast/fanout/client"
	"github.com/tapecast/tapecast/feed"
)

// minuteKey is one minute of one symbol.
type minuteKey struct {
	symbol string
	start  int64 // µs UTC
}

// finals collects the final minute bars that a client gets, live.
type finals struct {
	mu   sync.Mutex
	bars map[minuteKey]charts.Bar // guarded by mu
}

// of returns the minutes that came of a symbol.
func (f *finals) of(symbol string) map[minuteKey]charts.Bar {
	f.mu.Lock()
	defer f.mu.Unlock()
	got := map[minuteKey]charts.Bar{}
	for k, b := range f.bars {
		if k.symbol == symbol {
			got[k] = b
		}
	}
	return got
}

func (f *finals) follow(ctx context.Context, url string, symbols []string) error {
	c, err := client.New(client.Options{Base: url, Symbols: symbols, Channels: []string{"bars:1m"}})
	if err != nil {
		return err
	}
	return c.Run(ctx, func(m *client.Message) error {
		if m.Type == client.TypeBar && m.Final {
			f.mu.Lock()
			f.bars[minuteKey{m.Symbol, m.TS}] = m.Bar
			f.mu.Unlock()
		}
		return nil
	})
}

// TestBarsCheck holds the final bar that came live, the bar of /v1/bars and the
// bar computed from /v1/ticks against each other, at 60 times the pace.
func TestBarsCheck(t *testing.T) {
	symbols := []string{"AAPL", "MSFT", "NVDA"}
	minutes := 3
	if full() {
		symbols = []string{"AAPL", "MSFT", "NVDA", "AMZN", "GOOGL", "META", "TSLA", "AMD", "BTCUSDT", "ETHUSDT"}
		minutes = 10
	}
	broker := startKafka(t)
	start(t, "feed", "--kafka", broker.Addr(), "--clock", "60x", "--rate", "30")
	start(t, "bars", "--kafka", broker.Addr())
	node := startNode(t, "--kafka", broker.Addr(), "--window", "30m")
	live := finals{bars: map[minuteKey]charts.Bar{}}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- live.follow(ctx, node.url, symbols) }()
	deadline := time.Now().Add(40 * time.Second)
	for _, s := range symbols {
		for len(live.of(s)) < minutes {
			if time.Now().After(deadline) {
				t.Fatalf("%s: %d final bars of %d within 40 s", s, len(live.of(s)), minutes)
			}
			time.Sleep(50 * time.Millisecond)
		}
	}
	names := parseSymbols(t, node.url)
	checked := 0
	for _, s := range symbols {
		for key, bar := range live.of(s) {
			checkMinute(t, node.url, names, key, bar)
			checked++
		}
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	t.Logf("%d closed minutes of %d symbols: live, stored and computed bars are equal", checked, len(symbols))
}

func checkMinute(t *testing.T, url string, names *client.Symbols, key minuteKey, live charts.Bar) {
	t.Helper()
	var stored struct{ Bars []json.RawMessage }
	ask(t, fmt.Sprintf("%s/v1/bars?symbol=%s&interval=1m&start=%d&end=%d", url, key.symbol, key.start, key.start+60_000_000), &stored)
	if len(stored.Bars) != 1 {
		t.Errorf("%s %d: %d bars stored", key.symbol, key.start, len(stored.Bars))
		return
	}
	var rest client.Message
	decode(t, &rest, fmt.Appendf(nil, `{"type":"bar","sym":%q,%s`, key.symbol, stored.Bars[0][1:]), names)
	live.T0, live.TS = 0, 0
	if rest.Bar.T0, rest.Bar.TS = 0, 0; rest.Bar != live || !rest.Final || rest.TS != key.start {
		t.Errorf("%s %d: stored %+v, live %+v", key.symbol, key.start, rest.Bar, live)
	}
	var ticks struct{ Messages []json.RawMessage }
	ask(t, fmt.Sprintf("%s/v1/ticks?symbol=%s&channel=trades&start=%d&limit=5000", url, key.symbol, key.start), &ticks)
	var computed charts.Bar
	for _, raw := range ticks.Messages {
		var m client.Message
		decode(t, &m, raw, names)
		if m.Type == client.TypeTrade && m.TS >= key.start && m.TS < key.start+60_000_000 {
			computed.Add(&feed.Tick{Seq: m.Seq, Price: m.Price, Size: m.Size})
		}
	}
	if computed != live {
		t.Errorf("%s %d: computed %+v, live %+v", key.symbol, key.start, computed, live)
	}
}

func decode(t *testing.T, m *client.Message, raw []byte, names *client.Symbols) {
	t.Helper()
	if err := client.Decode(m, raw, names); err != nil {
		t.Fatalf("%s: %v", raw, err)
	}
}

func parseSymbols(t *testing.T, url string) *client.Symbols {
	t.Helper()
	var body json.RawMessage
	ask(t, url+"/v1/symbols", &body)
	names, err := client.ParseSymbols(body)
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// ask gets a JSON answer.
func ask(t *testing.T, url string, into any) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s %s %v", url, resp.Status, body, err)
	}
	if err := json.Unmarshal(body, into); err != nil {
		t.Fatalf("%s: %v", url, err)
	}
}
