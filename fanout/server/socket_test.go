package server_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/tapecast/tapecast/fanout/client"
	"github.com/tapecast/tapecast/fanout/server"
	"github.com/tapecast/tapecast/feed"
)

// ws is a WebSocket client that tests read and write by hand.
type ws struct {
	t    *testing.T
	ctx  context.Context
	conn *websocket.Conn
}

// dial opens a WebSocket, or returns the refusal.
func (n *node) dial(path string, headers ...string) (*ws, *reply, error) {
	ctx, cancel := context.WithTimeout(n.t.Context(), 20*time.Second)
	n.t.Cleanup(cancel)
	h := http.Header{}
	for i := 0; i+1 < len(headers); i += 2 {
		h.Set(headers[i], headers[i+1])
	}
	conn, resp, err := websocket.Dial(ctx, n.url+path, &websocket.DialOptions{HTTPHeader: h, HTTPClient: n.client()})
	if err != nil {
		if resp == nil {
			return nil, nil, err
		}
		defer resp.Body.Close()
		return nil, read(n.t, resp), err
	}
	n.t.Cleanup(func() { _ = conn.CloseNow() })
	return &ws{n.t, ctx, conn}, nil, nil
}

func (n *node) open(path string) *ws {
	n.t.Helper()
	w, _, err := n.dial(path)
	if err != nil {
		n.t.Fatal(err)
	}
	return w
}

func (w *ws) send(text string) {
	w.t.Helper()
	if err := w.conn.Write(w.ctx, websocket.MessageText, []byte(text)); err != nil {
		w.t.Fatal(err)
	}
}

// raw returns the next message but heartbeats, which may come at any time.
func (w *ws) raw() []byte {
	w.t.Helper()
	for {
		kind, raw, err := w.conn.Read(w.ctx)
		if err != nil || kind != websocket.MessageText {
			w.t.Fatalf("%v %s: %v", kind, raw, err)
		}
		if !strings.HasPrefix(string(raw), `{"type":"heartbeat"`) {
			return raw
		}
	}
}

func (w *ws) next() message {
	w.t.Helper()
	return decode(w.t, w.raw())
}

// want returns the next message, which must be of that type.
func (w *ws) want(kind string) message {
	w.t.Helper()
	raw := w.raw()
	m := decode(w.t, raw)
	if m.Type != kind {
		w.t.Fatalf("got %s, want %s", raw, kind)
	}
	return m
}

// until returns the next message of a type.
func (w *ws) until(kind string) message {
	w.t.Helper()
	for {
		if m := w.next(); m.Type == kind {
			return m
		}
	}
}

func TestStreamByQuery(t *testing.T) {
	n := startNode(t, nil)
	n.trades("AAPL", 3)
	w := n.open("/v1/stream?symbols=AAPL,MSFT")
	hello := w.want("hello")
	if hello.Node != "test" || hello.Tape != testTape.String() || hello.MaxSymbols != 1000 {
		t.Errorf("hello %+v", hello)
	}
	sub := w.want("subscribed")
	if string(sub.Symbols) != "2" || !slices.Equal(sub.Channels, []string{"trades", "quotes"}) || sub.Cursor == "" || sub.Tape != hello.Tape {
		t.Errorf("subscribed %+v", sub)
	}
	snapshots := map[string]message{}
	for range 2 {
		m := w.want("snapshot")
		snapshots[m.Sym] = m
	}
	if s := snapshots["AAPL"]; s.Trade == nil || s.Trade.Seq != 3 {
		t.Errorf("snapshot %+v", s)
	}
	n.trades("AAPL", 2)
	n.trades("BTCUSDT", 1)
	n.trades("MSFT", 1)
	for _, want := range []string{"AAPL 4", "AAPL 5", "MSFT 1"} {
		if m := w.want("trade"); fmt.Sprint(m.Sym, " ", m.Seq) != want {
			t.Errorf("got %s %d, want %s", m.Sym, m.Seq, want)
		}
	}
}

// TestResume goes on at a cursor, with and without since: no tick is lost, and
// with since none is repeated.
func TestResume(t *testing.T) {
	n := startNode(t, nil)
	w := n.open("/v1/stream?symbols=AAPL")
	cursor := w.until("subscribed").Cursor
	w.want("snapshot")
	n.trades("AAPL", 10)
	for seq := uint64(1); seq <= 10; seq++ {
		if m := w.want("trade"); m.Seq != seq {
			t.Fatalf("got %d, want %d", m.Seq, seq)
		}
	}
	_ = w.conn.CloseNow()
	n.trades("AAPL", 10)

	all := n.open("/v1/stream?symbols=AAPL&cursor=" + cursor)
	all.until("subscribed")
	rest := n.open("/v1/stream")
	rest.want("hello")
	rest.send(`{"op":"subscribe","id":"r","symbols":["AAPL"],"cursor":"` + cursor + `","since":{"AAPL":{"trades":10,"quotes":0}}}`)
	if m := rest.want("subscribed"); m.ID != "r" {
		t.Errorf("id %q", m.ID)
	}
	for seq := uint64(1); seq <= 20; seq++ {
		if m := all.want("trade"); m.Seq != seq {
			t.Fatalf("by cursor: got %d, want %d", m.Seq, seq)
		}
		if seq <= 10 {
			continue
		}
		if m := rest.want("trade"); m.Seq != seq {
			t.Fatalf("by since: got %d, want %d", m.Seq, seq)
		}
	}
}

// TestCommands goes through the commands on one connection, which outlives all
// mistakes.
func TestCommands(t *testing.T) {
	n := startNode(t, func(o *server.Options) { o.Limits.Symbols = 2 })
	w := n.open("/v1/stream")
	w.want("hello")
	for _, c := range []struct{ send, kind, id, code string }{
		{`{"op":"ping","id":"p"}`, "pong", "p", ""},
		{`{"op":"auth","id":"a","key":"k"}`, "authenticated", "a", ""},
		{`{"op":"ack","ts":5}`, "", "", ""},
		{`{"op":"resolution","id":"r","resolution":"raw"}`, "resolution", "r", ""},
		{`{"op":"resolution","id":"r","resolution":"250ms"}`, "resolution", "r", ""},
		{`{"op":"resolution","id":"r","resolution":"raw","max_rate":-1}`, "error", "r", "bad_request"},
		{`{"op":"resolution","id":"r","max_rate":10}`, "resolution", "r", ""},
		{`{"op":"resolution","id":"r","resolution":"raw"}`, "resolution", "r", ""},
		{`{"op":"resolution","id":"r","resolution":"fine"}`, "error", "r", "bad_request"},
		{`{"op":"resolution","id":"r"}`, "error", "r", "bad_request"},
		{`not JSON`, "error", "", "bad_request"},
		{`[]`, "error", "", "bad_request"},
		{`{"op":"dance","id":"d"}`, "error", "d", "bad_request"},
		{`{"id":"none"}`, "error", "none", "bad_request"},
		{`{"op":"seek","id":"s"}`, "error", "s", "unsupported"},
		{`{"op":"subscribe","id":"1"}`, "error", "1", "bad_request"},
		{`{"op":"subscribe","id":"1","symbols":"AAPL"}`, "error", "1", "bad_request"},
		{`{"op":"subscribe","id":1,"symbols":["AAPL"]}`, "error", "", "bad_request"},
		{`{"op":"subscribe","id":"2","symbols":["NOPE"]}`, "error", "2", "unknown_symbol"},
		{`{"op":"subscribe","id":"3","symbols":["*"]}`, "error", "3", "too_many_symbols"},
		{`{"op":"subscribe","id":"4","symbols":["AAPL"],"channels":["news"]}`, "error", "4", "bad_request"},
		{`{"op":"subscribe","id":"4","symbols":["AAPL"],"channels":["statuses"]}`, "error", "4", "bad_request"},
		{`{"op":"subscribe","id":"5","symbols":["AAPL"],"channels":["bars:7m"]}`, "error", "5", "bad_request"},
		{`{"op":"subscribe","id":"6","symbols":["AAPL"],"resolution":"2s"}`, "error", "6", "bad_request"},
		{`{"op":"subscribe","id":"7","symbols":["AAPL"],"cursor":"xyz"}`, "error", "7", "bad_cursor"},
		{`{"op":"subscribe","id":"8","symbols":["AAPL"],"cursor":"xyz","start":"now"}`, "error", "8", "bad_request"},
		{`{"op":"subscribe","id":"9","symbols":["AAPL"],"start":"-10m"}`, "error", "9", "unsupported"},
		{`{"op":"subscribe","id":"9","symbols":["AAPL"],"start":"later"}`, "error", "9", "bad_request"},
		{`{"op":"subscribe","id":"9","symbols":["AAPL"],"since":{"AAPL":{"trades":1}}}`, "error", "9", "bad_request"},
		{`{"op":"subscribe","id":"9","symbols":["AAPL"],"max_bytes":10}`, "error", "9", "bad_request"},
		{`{"op":"subscribe","id":"9","symbols":["AAPL"],"slow":"never"}`, "error", "9", "bad_request"},
		{`{"op":"unsubscribe","id":"u","symbols":["NOPE"]}`, "unsubscribed", "u", ""},
		{`{"op":"unsubscribe","id":"u"}`, "error", "u", "bad_request"},
		{`{"op":"subscribe","id":"` + strings.Repeat("i", 200) + `","symbols":["AAPL"]}`, "error", "", "bad_request"},
	} {
		w.send(c.send)
		if c.kind == "" {
			continue
		}
		if m := w.next(); m.Type != c.kind || m.ID != c.id || m.Code != c.code || (c.kind == "error" && m.Message == "") {
			t.Errorf("%s: got %+v", c.send, m)
		}
	}
	// Some symbols are unknown: the others are taken.
	w.send(`{"op":"subscribe","id":"ok","symbols":["AAPL","NOPE","nope2"],"slow":"drop","priority":1}`)
	if m := w.want("subscribed"); m.ID != "ok" || string(m.Symbols) != "1" {
		t.Errorf("%+v", m)
	}
	if m := w.want("error"); m.Code != "unknown_symbol" || string(m.Symbols) != `["NOPE","nope2"]` {
		t.Errorf("%+v %s", m, m.Symbols)
	}
	w.want("snapshot")
	// The limit is of all subscriptions together.
	w.send(`{"op":"subscribe","id":"5","symbols":["MSFT","BTCUSDT"]}`)
	if m := w.want("error"); m.Code != "too_many_symbols" || m.ID != "5" {
		t.Errorf("%+v", m)
	}
	n.trades("AAPL", 1)
	w.want("trade")
}

// TestPongIsAPlace takes the cursor of a pong while ticks flow: a stream from it
// goes on exactly where this one was.
func TestPongIsAPlace(t *testing.T) {
	n := startNode(t, nil)
	defer n.pump()()
	w := n.open("/v1/stream?symbols=*")
	w.until("trade")
	w.send(`{"op":"ping","id":"here"}`)
	last := map[string]uint64{}
	var cursor string
	for cursor == "" {
		switch m := w.next(); m.Type {
		case "trade":
			last[m.Sym] = m.Seq
		case "pong":
			cursor = m.Cursor
		}
	}
	next := n.open("/v1/stream?symbols=*&channels=trades&cursor=" + cursor)
	for seen := map[string]bool{}; len(seen) < len(symbols()); {
		m := next.until("trade")
		if !seen[m.Sym] && last[m.Sym] != 0 && m.Seq != last[m.Sym]+1 {
			t.Errorf("%s: had %d, the next is %d", m.Sym, last[m.Sym], m.Seq)
		}
		seen[m.Sym] = true
	}
}

// TestChangeWithoutAHole widens and narrows what is watched while ticks flow:
// what stays goes on without a hole or a repeat.
func TestChangeWithoutAHole(t *testing.T) {
	n := startNode(t, nil)
	known := client.NewSymbols(instruments()...)
	defer n.pump()()
	w := n.open("/v1/stream?symbols=AAPL&channels=trades")
	var tiling client.Tiling
	quotes := 0
	watch := func(until, id string) message {
		for {
			raw := w.raw()
			m := decode(t, raw)
			if m.Type == until && m.ID == id {
				return m
			}
			if m.Type == "quote" {
				quotes++
			}
			var full client.Message
			if err := client.Decode(&full, raw, known); err != nil {
				t.Fatal(err)
			}
			if full.Channel == feed.Trades || full.Type == client.TypeSnapshot {
				tiling.Observe(&full)
			}
		}
	}
	for i := range 20 {
		id := fmt.Sprint(i)
		w.send(`{"op":"subscribe","id":"` + id + `","symbols":["AAPL"],"channels":["quotes"]}`)
		if m := watch("subscribed", id); !slices.Equal(m.Channels, []string{"trades", "quotes"}) {
			t.Fatalf("channels %v", m.Channels)
		}
		for had := quotes; quotes == had; {
			watch("quote", "")
			quotes++
		}
		w.send(`{"op":"unsubscribe","id":"` + id + `","symbols":["AAPL"],"channels":["quotes"]}`)
		if m := watch("unsubscribed", id); !slices.Equal(m.Channels, []string{"trades"}) {
			t.Fatalf("channels %v", m.Channels)
		}
	}
	w.send(`{"op":"unsubscribe","id":"all","symbols":["*"]}`)
	if m := watch("unsubscribed", "all"); string(m.Symbols) != "0" || len(m.Channels) != 0 {
		t.Errorf("%+v", m)
	}
	report := tiling.Report()
	if err := report.Err(); err != nil || report.Gaps > 0 || report.Messages == 0 {
		t.Errorf("%d ranges, %d gaps: %v", report.Messages, report.Gaps, err)
	}
	if quotes == 0 {
		t.Error("no quote came")
	}
}

func instruments() []feed.Instrument {
	var list []feed.Instrument
	for _, s := range symbols() {
		list = append(list, feed.Instrument{Symbol: s, Name: s, Class: feed.Stock, Tick: 1, Lot: 1, Decimals: 2})
	}
	return list
}

func TestBarsStream(t *testing.T) {
	n := startNode(t, nil)
	w := n.open("/v1/stream?symbols=AAPL&channels=bars:1s")
	if m := w.until("subscribed"); !slices.Equal(m.Channels, []string{"bars:1s"}) {
		t.Errorf("%+v", m)
	}
	w.want("snapshot")
	defer n.pump()()
	var open, last message
	for bars := 0; bars < 3; {
		m := w.want("bar")
		if !m.Final {
			open = m
			continue
		}
		if m.Seq <= last.Seq || m.N < open.N && m.First == open.First {
			t.Errorf("after %+v, open as %+v, came %+v", last, open, m)
		}
		last = m
		bars++
	}
	if open.N == 0 {
		t.Error("no open bar came")
	}
}

// TestForeignCursor resumes at a place of another tape: the client is told to
// begin anew.
func TestForeignCursor(t *testing.T) {
	n := startNode(t, nil)
	other := newTape(t, testTape+1, nil)
	cursor, _ := other.hub.Cut()
	w := n.open("/v1/stream?symbols=AAPL&cursor=" + cursor)
	w.want("hello")
	if m := w.want("reset"); m.Reason != "new_tape" {
		t.Errorf("%+v", m)
	}
	w.want("subscribed")
	w.want("snapshot")
}

// TestPipelined sends commands right behind the handshake, in one packet.
func TestPipelined(t *testing.T) {
	n := startNode(t, nil)
	request := "GET /v1/stream HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
	// With a mask of zeros a frame is what it says.
	for _, command := range []string{`{"op":"ping","id":"first"}`, `{"op":"subscribe","id":"second","symbols":["AAPL"]}`} {
		request += string([]byte{0x81, 0x80 | byte(len(command)), 0, 0, 0, 0}) + command
	}
	answer := n.exchange(request + "\x88\x80\x00\x00\x00\x00")
	if i, j := strings.Index(answer, `"id":"first"`), strings.Index(answer, `"id":"second"`); !strings.Contains(answer, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=") || i < 0 || j < i {
		t.Errorf("%q", answer)
	}
}

func TestHandshakeIsRefused(t *testing.T) {
	n := startNode(t, func(o *server.Options) { o.Limits.Streams = 1 })
	refused := func(path string, status int, headers ...string) string {
		t.Helper()
		_, resp, err := n.dial(path, headers...)
		if err == nil || resp == nil || resp.status != status {
			t.Fatalf("%s: %v %v, want %d", path, resp, err, status)
		}
		return resp.text
	}
	if text := refused("/v1/stream", 403, "Origin", "https://evil.example"); !strings.Contains(text, "--origins https://evil.example") {
		t.Errorf("%s does not say which flag", text)
	}
	refused("/v1/stream?symbols=NOPE", 404)
	refused("/v1/stream?symbols=AAPL&resolution=2s", 400)
	w := n.open("/v1/stream")
	w.want("hello")
	refused("/v1/stream", 503)
	_ = w.conn.Close(websocket.StatusNormalClosure, "")
	for {
		// The server counts the first one out a moment later.
		w, _, err := n.dial("/v1/stream", "Origin", "http://localhost:5173")
		if err == nil {
			w.want("hello")
			return
		}
		if w != nil || errors.Is(err, context.DeadlineExceeded) {
			t.Fatal(err)
		}
	}
}
