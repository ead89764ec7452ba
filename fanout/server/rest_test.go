package server_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/tapecast/tapecast/feed"
)

func (n *node) json(path string, into any) {
	n.t.Helper()
	resp := n.do(http.MethodGet, path, "")
	if resp.status != 200 || resp.header.Get("Content-Type") != "application/json" {
		n.t.Fatalf("%s: %+v", path, resp)
	}
	if err := json.Unmarshal([]byte(resp.text), into); err != nil {
		n.t.Fatalf("%s: %s: %v", path, resp.text, err)
	}
}

func TestSymbols(t *testing.T) {
	n := startNode(t, nil)
	var got struct {
		Symbols      []struct{ Sym string }
		Tape, Cursor string
	}
	n.json("/v1/symbols", &got)
	if fmt.Sprint(got.Symbols) != "[{AAPL} {BTCUSDT} {MSFT}]" || got.Tape != testTape.String() || got.Cursor == "" {
		t.Errorf("%+v", got)
	}
}

// TestSnapshotThenSubscribe fetches snapshots while ticks flow, and goes on from
// their cursor: there is no seam.
func TestSnapshotThenSubscribe(t *testing.T) {
	n := startNode(t, nil)
	defer n.pump()()
	for range 20 {
		var got struct {
			Snapshots []message
			Cursor    string
			Error     *message
		}
		n.json("/v1/snapshot?symbols=AAPL,MSFT,NOPE", &got)
		if len(got.Snapshots) != 2 || got.Error == nil || got.Error.Code != "unknown_symbol" {
			t.Fatalf("%+v", got)
		}
		w := n.open("/v1/stream?symbols=AAPL,MSFT&channels=trades&cursor=" + got.Cursor)
		last := map[string]uint64{}
		for _, s := range got.Snapshots {
			if s.Trade != nil {
				last[s.Sym] = s.Trade.Seq
			}
		}
		for seen := 0; seen < 10; seen++ {
			m := w.until("trade")
			if m.Seq != last[m.Sym]+1 {
				t.Fatalf("%s: had %d, got %d", m.Sym, last[m.Sym], m.Seq)
			}
			last[m.Sym] = m.Seq
		}
		_ = w.conn.CloseNow()
	}
}

type barsAnswer struct {
	Sym, I       string
	Bars         []message
	Next, Cursor string
}

func TestBars(t *testing.T) {
	n := startNode(t, nil)
	n.trades("AAPL", 5500) // 5.5 s of the tape
	var all barsAnswer
	n.json("/v1/bars?symbol=AAPL&interval=1s", &all)
	if all.Sym != "AAPL" || all.I != "1s" || len(all.Bars) < 5 || all.Next != "" || all.Cursor == "" {
		t.Fatalf("%+v", all)
	}
	var total uint64
	for i, b := range all.Bars {
		total += b.N
		if b.Final != (i < len(all.Bars)-1) {
			t.Errorf("bar %d: final %v", i, b.Final)
		}
	}
	if total != 5500 {
		t.Errorf("%d trades, want 5500", total)
	}
	// The newest two, then pages of two from the start: the same bars.
	var newest barsAnswer
	n.json("/v1/bars?symbol=AAPL&interval=1s&limit=2", &newest)
	if len(newest.Bars) != 2 || newest.Bars[1].Final || newest.Bars[0].Seq != all.Bars[len(all.Bars)-2].Seq {
		t.Errorf("%+v", newest)
	}
	var paged []message
	for start := "-1h"; start != ""; {
		var p barsAnswer
		n.json("/v1/bars?symbol=AAPL&interval=1s&limit=2&start="+start, &p)
		paged, start = append(paged, p.Bars...), p.Next
	}
	if len(paged) != len(all.Bars) {
		t.Fatalf("%d bars in pages, %d at once", len(paged), len(all.Bars))
	}
	for i := range paged {
		if paged[i].Seq != all.Bars[i].Seq || paged[i].Final != all.Bars[i].Final {
			t.Errorf("bar %d: %+v, at once %+v", i, paged[i], all.Bars[i])
		}
	}
	// An end before all: none.
	var none barsAnswer
	n.json("/v1/bars?symbol=AAPL&end=2020-01-01T00:00:00Z", &none)
	if len(none.Bars) != 0 {
		t.Errorf("%+v", none)
	}
}

func TestTicks(t *testing.T) {
	n := startNode(t, nil)
	n.mu.Lock()
	for range 10 {
		n.tick("AAPL", feed.KindTrade)
		n.tick("AAPL", feed.KindQuote)
	}
	n.tick("AAPL", feed.KindStatus)
	n.hub.Publish()
	n.mu.Unlock()
	type page struct {
		Messages     []message
		Next, Cursor string
	}
	var all page
	n.json("/v1/ticks?symbol=AAPL", &all)
	if len(all.Messages) != 21 || all.Next != "" {
		t.Fatalf("%+v", all)
	}
	var seqs []uint64
	for start := "-1h"; start != ""; {
		var p page
		n.json("/v1/ticks?symbol=AAPL&channel=trades&limit=3&start="+start, &p)
		for _, m := range p.Messages {
			seqs = append(seqs, m.Seq)
		}
		start = p.Next
	}
	if fmt.Sprint(seqs) != "[1 2 3 4 5 6 7 8 9 10]" {
		t.Errorf("pages of trades: %v", seqs)
	}
	var paged []message
	for start := "-1h"; start != ""; {
		var p page
		n.json("/v1/ticks?symbol=AAPL&limit=4&start="+start, &p)
		paged, start = append(paged, p.Messages...), p.Next
	}
	if fmt.Sprint(paged) != fmt.Sprint(all.Messages) {
		t.Errorf("pages of all: %+v, at once %+v", paged, all.Messages)
	}
	// Live from the answer's cursor: no seam.
	n.trades("AAPL", 1)
	if a := n.poll("symbols=AAPL&cursor=" + all.Cursor); len(a.Messages) != 1 || a.Messages[0].Seq != 11 {
		t.Errorf("%+v", a)
	}
}

// TestTicksTellWhatIsForgotten asks for ticks that are out of memory: the answer
// begins with a gap.
func TestTicksTellWhatIsForgotten(t *testing.T) {
	n := startNode(t, nil)
	begin := n.ts
	at := n.poll("symbols=AAPL").Next
	n.trades("AAPL", 1000)
	n.mu.Lock()
	n.ts += int64(5 * time.Minute)
	n.mu.Unlock()
	n.trades("AAPL", 1000)
	for _, place := range []string{"start=" + fmt.Sprint(begin/1000), "cursor=" + at, "start=" + at} {
		var got struct{ Messages []message }
		n.json("/v1/ticks?symbol=AAPL&channel=trades&limit=5000&"+place, &got)
		gap, first := got.Messages[0], got.Messages[1]
		if gap.Type != "gap" || gap.Reason != "retention" || gap.Seq < 500 || first.Seq != gap.Seq+1 {
			t.Errorf("%s: %+v, then %+v", place, gap, first)
		}
		if last := got.Messages[len(got.Messages)-1]; last.Seq != 2000 {
			t.Errorf("the last one is %d", last.Seq)
		}
	}
	var got struct{ Messages []message }
	n.json("/v1/ticks?symbol=AAPL&channel=trades", &got)
	if got.Messages[0].Type != "trade" {
		t.Errorf("nothing older was asked for, got %+v", got.Messages[0])
	}
}

func TestStats(t *testing.T) {
	n := startNode(t, nil)
	w := n.open("/v1/stream?symbols=AAPL")
	w.until("snapshot")
	n.trades("AAPL", 5)
	w.until("trade") // what came before is counted by now
	var got struct {
		Node, Tape, Cursor string
		Ready              bool
		Connections        map[string]int
		Ticks, Bytes       uint64
		Goroutines         int
		Position           []int64
	}
	n.json("/v1/stats", &got)
	if got.Node != "test" || !got.Ready || got.Connections["websocket"] != 1 || got.Ticks != 5 || got.Bytes == 0 ||
		got.Goroutines == 0 || len(got.Position) != lanes || got.Cursor == "" {
		t.Errorf("%+v", got)
	}
}

// TestRefusedInWords checks status and code of what can't be answered.
func TestRefusedInWords(t *testing.T) {
	n := startNode(t, nil)
	long := strings.Repeat("A,", 7000)
	for _, c := range []struct {
		method, path, content string
		status                int
		code                  string
	}{
		{"GET", "/v1/poll?symbols=AAPL&wait=26", "", 400, "bad_request"},
		{"GET", "/v1/poll?symbols=AAPL&wait=-1", "", 400, "bad_request"},
		{"GET", "/v1/poll?symbols=AAPL&limit=0", "", 400, "bad_request"},
		{"GET", "/v1/poll?symbols=AAPL&limit=1001", "", 400, "bad_request"},
		{"GET", "/v1/poll?symbols=,", "", 400, "bad_request"},
		{"GET", "/v1/poll?symbols=AAPL&max_rate=x", "", 400, "bad_request"},
		{"GET", "/v1/poll?symbols=AAPL&max_bytes=5", "", 400, "bad_request"},
		{"GET", "/v1/poll?symbols=AAPL&end=now", "", 400, "unsupported"},
		{"GET", "/v1/poll?symbols=AAPL&cursor=" + strings.Repeat("A", 2000), "", 400, "bad_cursor"},
		{"POST", "/v1/poll", `{"symbols":`, 400, "bad_request"},
		{"POST", "/v1/poll", `{"symbols":["AAPL"],"since":{"AAPL":{"bars":1}},"cursor":"x"}`, 400, "bad_cursor"},
		{"GET", "/v1/poll?symbols=" + long[:12_500], "", 414, "too_large"},
		{"GET", "/v1/stream", "", 426, "upgrade_required"},
		{"PUT", "/v1/poll", "", 405, "method_not_allowed"},
		{"GET", "/v1/bars", "", 400, "bad_request"},
		{"GET", "/v1/bars?symbol=AAPL&limit=5001", "", 400, "bad_request"},
		{"GET", "/v1/bars?symbol=AAPL&start=yesterday", "", 400, "bad_request"},
		{"GET", "/v1/bars?symbol=AAPL&start=now&end=-1h", "", 400, "bad_request"},
		{"GET", "/v1/ticks?symbol=AAPL&channel=gossip", "", 400, "bad_request"},
		{"GET", "/v1/ticks?symbol=AAPL&cursor=x", "", 400, "bad_cursor"},
		{"GET", "/v1/ticks?symbol=AAPL&cursor=x&start=now", "", 400, "bad_request"},
		{"GET", "/v1/snapshot", "", 400, "bad_request"},
		{"GET", "/v1/snapshot?symbols=AAPL&at=now", "", 400, "unsupported"},
		{"GET", "/secret", "", 404, "not_found"},
		{"GET", "/.gitkeep", "", 404, "not_found"},
		{"GET", "/metrics", "", 404, "not_found"},
		{"GET", "/debug/pprof/", "", 404, "not_found"},
	} {
		resp := n.do(c.method, c.path, c.content)
		var got struct {
			Error struct{ Code, Message string }
		}
		if err := json.Unmarshal([]byte(resp.text), &got); err != nil || resp.status != c.status || got.Error.Code != c.code || got.Error.Message == "" {
			t.Errorf("%s %.60s: %d %.200s, want %d %s", c.method, c.path, resp.status, resp.text, c.status, c.code)
		}
	}
}

// TestTooLarge sends headers and a body that are longer than the server takes.
func TestTooLarge(t *testing.T) {
	n := startNode(t, nil)
	for status, request := range map[string]string{
		" 431 ": "GET /v1/symbols HTTP/1.1\r\nHost: x\r\nCookie: " + strings.Repeat("c", 17_000) + "\r\n\r\n",
		" 413 ": "POST /v1/poll HTTP/1.1\r\nHost: x\r\nContent-Length: 70000\r\n\r\n",
	} {
		if answer := n.exchange(request); !strings.Contains(answer, status) || !strings.Contains(answer, `"too_large"`) {
			t.Errorf("want%s: %.300s", status, answer)
		}
	}
}

// exchange sends bytes and returns all that comes back.
func (n *node) exchange(request string) string {
	n.t.Helper()
	c, err := (&net.Dialer{}).DialContext(n.t.Context(), "tcp", n.url[len("http://"):])
	if err != nil {
		n.t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := io.WriteString(c, request); err != nil {
		n.t.Fatal(err)
	}
	answer, err := io.ReadAll(c)
	if len(answer) == 0 {
		n.t.Fatal(err)
	}
	return string(answer)
}

func TestPage(t *testing.T) {
	n := startNode(t, nil)
	for path, c := range map[string]struct{ cache, kind string }{
		"/":                   {"no-cache", "text/html; charset=utf-8"},
		"/index.html":         {"no-cache", "text/html; charset=utf-8"},
		"/assets/app-1234.js": {"public, max-age=31536000, immutable", "text/javascript; charset=utf-8"},
	} {
		resp := n.do(http.MethodGet, path, "")
		h := resp.header
		if resp.status != 200 || h.Get("Cache-Control") != c.cache || h.Get("Content-Type") != c.kind || h.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: %d %v", path, resp.status, h)
		}
		policy := h.Get("Content-Security-Policy")
		if !strings.Contains(policy, "default-src 'self'") || strings.Contains(policy, "unsafe") {
			t.Errorf("%s: policy %q", path, policy)
		}
		again := n.do(http.MethodGet, path, "", "If-None-Match", h.Get("ETag"))
		if again.status != 304 || again.text != "" {
			t.Errorf("%s again: %d", path, again.status)
		}
		if head := n.do(http.MethodHead, path, ""); head.status != 200 || head.text != "" {
			t.Errorf("HEAD %s: %d", path, head.status)
		}
	}
}

func TestCORS(t *testing.T) {
	n := startNode(t, nil)
	allowed := n.do(http.MethodOptions, "/v1/poll", "", "Origin", "http://127.0.0.1:3000", "Access-Control-Request-Method", "POST")
	if allowed.status != 204 || allowed.header.Get("Access-Control-Allow-Origin") != "http://127.0.0.1:3000" || !strings.Contains(allowed.header.Get("Vary"), "Origin") {
		t.Errorf("%+v", allowed)
	}
	refused := n.do(http.MethodOptions, "/v1/poll", "", "Origin", "https://evil.example", "Access-Control-Request-Method", "POST")
	if refused.status != 403 || !strings.Contains(refused.text, "--origins") {
		t.Errorf("%+v", refused)
	}
	plain := n.do(http.MethodGet, "/v1/symbols", "", "Origin", "https://evil.example")
	if plain.status != 200 || plain.header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("%+v", plain)
	}
}
