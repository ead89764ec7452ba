package server_test

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tapecast/tapecast/fanout/server"
)

// try makes a request with headers, given in pairs. Its connection is not used
// again.
func (n *node) try(method, path, content string, headers ...string) (*http.Response, error) {
	ctx, cancel := context.WithTimeout(n.t.Context(), 20*time.Second)
	n.t.Cleanup(cancel)
	req, err := http.NewRequestWithContext(ctx, method, n.url+path, strings.NewReader(content))
	if err != nil {
		return nil, err
	}
	req.Close = true
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	return n.client().Do(req)
}

// reply is a whole answer.
type reply struct {
	status int
	header http.Header
	text   string
}

func read(t *testing.T, resp *http.Response) *reply {
	t.Helper()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return &reply{resp.StatusCode, resp.Header, string(b)}
}

// do makes a request with headers, given in pairs.
func (n *node) do(method, path, content string, headers ...string) *reply {
	n.t.Helper()
	resp, err := n.try(method, path, content, headers...)
	if err != nil {
		n.t.Fatal(err)
	}
	defer resp.Body.Close()
	return read(n.t, resp)
}

// sse reads server-sent events.
type sse struct {
	t    *testing.T
	resp *http.Response
	r    *bufio.Reader
	left []message // of the event under way
	id   string    // of the last event
}

func (n *node) listen(path string, headers ...string) *sse {
	n.t.Helper()
	resp, err := n.try(http.MethodGet, path, "", headers...)
	if err != nil {
		n.t.Fatal(err)
	}
	n.t.Cleanup(func() { resp.Body.Close() })
	if resp.StatusCode != http.StatusOK {
		n.t.Fatalf("%s: %+v", path, read(n.t, resp))
	}
	return &sse{t: n.t, resp: resp, r: bufio.NewReader(resp.Body)}
}

// event returns the next event's messages and its id, but for heartbeats, which
// may come at any time.
func (e *sse) event() ([]message, string) {
	e.t.Helper()
	for {
		list, id := e.read()
		list = slices.DeleteFunc(list, func(m message) bool { return m.Type == "heartbeat" })
		if len(list) > 0 {
			return list, id
		}
	}
}

func (e *sse) read() ([]message, string) {
	e.t.Helper()
	var data, id string
	for {
		line, err := e.r.ReadString('\n')
		if err != nil {
			e.t.Fatal(err)
		}
		line = strings.TrimSuffix(line, "\n")
		if s, ok := strings.CutPrefix(line, "data: "); ok {
			data = s
		}
		if s, ok := strings.CutPrefix(line, "id: "); ok {
			id = s
		}
		if line == "" && data != "" {
			break
		}
	}
	if data[0] != '[' {
		return []message{decode(e.t, []byte(data))}, id
	}
	var list []message
	if err := json.Unmarshal([]byte(data), &list); err != nil {
		e.t.Fatalf("%s: %v", data, err)
	}
	if last := list[len(list)-1]; last.Type != "at" || last.Cursor != id {
		e.t.Fatalf("an event ends with %+v, its id is %s", last, id)
	}
	return list[:len(list)-1], id
}

func (e *sse) next() message {
	e.t.Helper()
	for len(e.left) == 0 {
		e.left, e.id = e.event()
	}
	m := e.left[0]
	e.left = e.left[1:]
	return m
}

func (e *sse) want(kind string) message {
	e.t.Helper()
	m := e.next()
	if m.Type != kind {
		e.t.Fatalf("got %+v, want %s", m, kind)
	}
	return m
}

func TestEventsOfOneStream(t *testing.T) {
	n := startNode(t, nil)
	e := n.listen("/v1/events?symbols=AAPL", "Origin", "http://localhost:5173")
	for name, want := range map[string]string{
		"Content-Type": "text/event-stream; charset=utf-8", "Cache-Control": "no-store", "X-Accel-Buffering": "no",
		"X-Content-Type-Options": "nosniff", "Access-Control-Allow-Origin": "http://localhost:5173",
	} {
		if got := e.resp.Header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if !e.resp.Close || e.resp.ContentLength != -1 || len(e.resp.TransferEncoding) != 0 {
		t.Errorf("close %v, length %d, encoding %v", e.resp.Close, e.resp.ContentLength, e.resp.TransferEncoding)
	}
	e.want("hello")
	e.want("subscribed")
	e.want("snapshot")
	n.trades("AAPL", 5)
	ids := map[uint64]string{}
	for seq := uint64(1); seq <= 5; seq++ {
		list, id := e.event()
		if len(list) != 1 || list[0].Seq != seq || id == "" {
			t.Fatalf("%+v %s, want trade %d alone", list, id, seq)
		}
		ids[seq] = id
	}
	// Each id resumes exactly, and comes before a cursor and a start.
	for seq, id := range ids {
		if seq == 5 {
			continue
		}
		for _, place := range []string{"", "&cursor=" + ids[1], "&start=now"} {
			r := n.listen("/v1/events?symbols=AAPL"+place, "Last-Event-ID", id)
			r.want("hello")
			r.want("subscribed")
			if m := r.want("trade"); m.Seq != seq+1 {
				t.Errorf("id of %d, %q: the next is %d", seq, place, m.Seq)
			}
		}
	}
}

// TestEventsOfSeveralStreams cuts the stream after each event and goes on by its
// id: nothing is lost or repeated.
func TestEventsOfSeveralStreams(t *testing.T) {
	n := startNode(t, nil)
	defer n.pump()()
	e := n.listen("/v1/events?symbols=*&channels=trades")
	e.want("hello")
	e.want("subscribed")
	last := map[string]uint64{}
	for range symbols() {
		m := e.want("snapshot")
		last[m.Sym] = 0
		if m.Trade != nil {
			last[m.Sym] = m.Trade.Seq
		}
	}
	if len(e.left) > 0 {
		t.Fatalf("the first event goes on with %+v", e.left)
	}
	trades := 0
	for id, round := e.id, 0; round < 30; round++ {
		e.resp.Body.Close()
		e = n.listen("/v1/events?symbols=*&channels=trades", "Last-Event-ID", id)
		for had := trades; trades == had; {
			var list []message
			list, id = e.event()
			for _, m := range list {
				if m.Type != "trade" {
					continue
				}
				if trades++; m.Seq != last[m.Sym]+1 {
					t.Fatalf("round %d: %s had %d, got %d", round, m.Sym, last[m.Sym], m.Seq)
				}
				last[m.Sym] = m.Seq
			}
		}
	}
}

// TestEventForm checks when an event is an array.
func TestEventForm(t *testing.T) {
	n := startNode(t, nil)
	for path, array := range map[string]bool{
		"symbols=AAPL":                                     false,
		"symbols=AAPL,NOPE":                                false,
		"symbols=AAPL&channels=bars:1m":                    false,
		"symbols=AAPL&channels=trades,bars:1m":             true,
		"symbols=AAPL&channels=bars:1m,bars:5m":            true,
		"symbols=AAPL,MSFT":                                true,
		"symbols=*":                                        true,
		"symbols=AAPL&channels=trades,quotes&slow=drop":    false,
		"symbols=AAPL&channels=quotes,statuses&start=now":  false,
		"symbols=AAPL,AAPL&resolution=raw":                 false,
		"symbols=AAPL&channels=trades,trades,quotes":       false,
		"symbols=AAPL&channels=bars:1m,bars:1m&slow=adapt": false,
	} {
		e := n.listen("/v1/events?" + path)
		for {
			line, err := e.r.ReadString('\n')
			if err != nil {
				t.Fatal(err)
			}
			if data, ok := strings.CutPrefix(line, "data: "); ok {
				if got := data[0] == '['; got != array {
					t.Errorf("%s: array %v, want %v", path, got, array)
				}
				break
			}
		}
	}
}

func TestEventsTellUnknownSymbols(t *testing.T) {
	n := startNode(t, nil)
	e := n.listen("/v1/events?symbols=AAPL,NOPE")
	e.want("hello")
	if m := e.want("subscribed"); string(m.Symbols) != "1" {
		t.Errorf("%+v", m)
	}
	if m := e.want("error"); m.Code != "unknown_symbol" || string(m.Symbols) != `["NOPE"]` {
		t.Errorf("%+v", m)
	}
	e.want("snapshot")
}

func TestEventsAreLimited(t *testing.T) {
	n := startNode(t, func(o *server.Options) { o.Limits.Streams = 1 })
	n.listen("/v1/events?symbols=AAPL").want("hello")
	resp := n.do(http.MethodGet, "/v1/events?symbols=AAPL", "")
	if resp.status != 503 || resp.header.Get("Retry-After") == "" || !strings.Contains(resp.text, `"limit"`) {
		t.Errorf("%+v", resp)
	}
	if resp := n.do(http.MethodHead, "/v1/events?symbols=AAPL", ""); resp.status < 400 {
		t.Errorf("HEAD begins a stream: %d", resp.status)
	}
}
