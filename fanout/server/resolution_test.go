package server_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// ranges checks that what a client gets tiles, per symbol and channel.
type ranges struct {
	t    *testing.T
	last map[string]uint64 // by symbol and channel; missing: not known yet
	seen map[string]int    // messages by type
	how  string            // the client gets them
}

func newRanges(t *testing.T) *ranges {
	return &ranges{t: t, last: map[string]uint64{}, seen: map[string]int{}}
}

// take takes a message and reports whether it is of ticks.
func (r *ranges) take(m *message) bool {
	r.t.Helper()
	channel := map[string]string{"trade": "trades", "agg": "trades", "quote": "quotes", "status": "statuses"}[m.Type]
	switch {
	case m.Type == "snapshot":
		for name, part := range map[string]*message{"trades": m.Trade, "quotes": m.Quote} {
			r.last[m.Sym+" "+name] = 0
			if part != nil {
				r.last[m.Sym+" "+name] = part.Seq
			}
		}
		return false
	case m.Type == "gap":
		r.t.Fatalf("a gap: %+v", m)
	case channel == "":
		return false
	}
	first := m.First
	if first == 0 {
		first = m.Seq
	}
	if last, known := r.last[m.Sym+" "+channel]; known && first != last+1 {
		r.t.Fatalf("%s: %s %s: had %d, got %s %d..%d", r.how, m.Sym, channel, last, m.Type, first, m.Seq)
	}
	r.last[m.Sym+" "+channel] = m.Seq
	kind := m.Type
	if m.Type == "quote" && m.First != 0 {
		kind = "merged quote"
	}
	r.seen[kind]++
	return true
}

// visit connects by a transport, from a cursor on if there is one, takes some messages
// and returns the cursor of where it stopped.
type visit func(n *node, query, cursor string, some int, take func(m *message) bool) (next string)

func visits() map[string]visit {
	return map[string]visit{"WebSocket": visitStream, "SSE": visitEvents, "poll": visitPolls}
}

// visitStream asks by a ping for the place where it stops.
func visitStream(n *node, query, cursor string, some int, take func(m *message) bool) (next string) {
	if cursor != "" {
		query += "&cursor=" + cursor
	}
	w := n.open("/v1/stream?" + query)
	defer w.conn.CloseNow()
	for asked := false; ; {
		m := w.next()
		if m.Type == "pong" {
			return m.Cursor
		}
		if take(&m) {
			some--
		}
		if some <= 0 && !asked {
			asked = true
			w.send(`{"op":"ping","id":"place"}`)
		}
	}
}

func visitEvents(n *node, query, cursor string, some int, take func(m *message) bool) (next string) {
	var headers []string
	if cursor != "" {
		headers = []string{"Last-Event-ID", cursor}
	}
	e := n.listen("/v1/events?"+query, headers...)
	defer e.resp.Body.Close()
	for some > 0 {
		list, id := e.read()
		for i := range list {
			if take(&list[i]) {
				some--
			}
		}
		next = id
	}
	return next
}

func visitPolls(n *node, query, cursor string, some int, take func(m *message) bool) (next string) {
	next = cursor
	for some > 0 {
		path := query + "&wait=5"
		if next != "" {
			path += "&cursor=" + next
		}
		a := n.poll(path)
		for i := range a.Messages {
			if take(&a.Messages[i]) {
				some--
			}
		}
		next = a.Next
	}
	return next
}

// TestResolutionOnEachTransport asks for merges: little else comes, and it tiles.
func TestResolutionOnEachTransport(t *testing.T) {
	n := startNode(t, nil)
	defer n.pump()()
	for name, visit := range visits() {
		for _, symbols := range []string{"*", "AAPL"} {
			r := newRanges(t)
			visit(n, "symbols="+symbols+"&resolution=1s", "", 40, r.take)
			// Between a status and a window's end there may be one alone.
			single, merges := r.seen["trade"]+r.seen["quote"], r.seen["agg"]+r.seen["merged quote"]
			if r.seen["agg"] == 0 || r.seen["merged quote"] == 0 || single > merges/2 {
				t.Errorf("%s, %s: %v", name, symbols, r.seen)
			}
		}
	}
}

// TestResumeAtAnyResolution cuts a client off again and again: it goes on by its last
// cursor, at another resolution, on another transport, and nothing is lost or repeated.
func TestResumeAtAnyResolution(t *testing.T) {
	n := startNode(t, nil)
	defer n.pump()()
	random := rand.New(rand.NewPCG(1, 1))
	resolutions := []string{"raw", "100ms", "250ms", "1s"}
	for _, symbols := range []string{"*", "AAPL"} {
		for name, visit := range visits() {
			for _, mixed := range []bool{false, true} {
				r, cursor := newRanges(t), ""
				r.how = symbols
				for range 12 {
					resolution := resolutions[2]
					if mixed {
						resolution = resolutions[random.IntN(len(resolutions))]
					}
					r.how = fmt.Sprint(r.how, ", ", name, " at ", resolution)
					cursor = visit(n, "symbols="+symbols+"&resolution="+resolution, cursor, 1+random.IntN(8), r.take)
				}
				if r.seen["agg"] == 0 {
					t.Errorf("%s, %s: %v", name, symbols, r.seen)
				}
			}
		}
		r, cursor := newRanges(t), ""
		r.how = symbols
		for range 8 {
			for name, visit := range visits() {
				resolution := resolutions[random.IntN(len(resolutions))]
				r.how = fmt.Sprint(r.how, ", ", name, " at ", resolution)
				cursor = visit(n, "symbols="+symbols+"&resolution="+resolution, cursor, 1+random.IntN(5), r.take)
			}
		}
	}
}

// TestEachEventResumes takes every event's id of one symbol's merges, at all
// resolutions: what follows is what followed.
func TestEachEventResumes(t *testing.T) {
	n := startNode(t, nil)
	stop := n.pump()
	for _, resolution := range []string{"100ms", "250ms", "1s"} {
		e := n.listen("/v1/events?symbols=AAPL&resolution=" + resolution)
		type place struct {
			id   string
			last map[string]uint64
		}
		var places []place
		r := newRanges(t)
		for len(places) < 12 {
			list, id := e.event()
			if len(list) != 1 {
				t.Fatalf("an event of %d messages", len(list))
			}
			if r.take(&list[0]) {
				places = append(places, place{id, maps.Clone(r.last)})
			}
		}
		e.resp.Body.Close()
		for i, p := range places {
			for _, other := range []string{"raw", resolution, "5s"} {
				again := newRanges(t)
				maps.Copy(again.last, p.last)
				next := visitEvents(n, "symbols=AAPL&resolution="+other, p.id, 1, again.take)
				visitEvents(n, "symbols=AAPL&resolution=1s", next, 1, again.take)
				if t.Failed() {
					t.Fatalf("event %d at %s, then %s", i, resolution, other)
				}
			}
		}
	}
	stop()
}

// TestResolutionCommands changes resolution, pace and priority of a running stream.
func TestResolutionCommands(t *testing.T) {
	n := startNode(t, nil)
	defer n.pump()()
	w, r := n.open("/v1/stream"), newRanges(t)
	until := func(kind, id string) message {
		for {
			m := w.next()
			if r.take(&m); m.Type == "error" {
				t.Fatalf("%+v", m)
			}
			if m.Type == kind && m.ID == id {
				return m
			}
		}
	}
	counts := func(messages int) map[string]int {
		seen := map[string]int{}
		for range messages {
			m := w.next()
			r.take(&m)
			seen[m.Sym+" "+m.Type]++
		}
		return seen
	}
	ask := func(command, trades string) {
		t.Helper()
		w.send(`{"op":"resolution",` + command + `}`)
		id := command[len(`"id":"`):][:1]
		if m := until("resolution", id); string(m.Trades) != fmt.Sprintf("%q", trades) || m.Reason != "asked" {
			t.Errorf("%s: told %+v %s", command, m, m.Trades)
		}
	}
	w.send(`{"op":"subscribe","id":"a","symbols":["AAPL"],"resolution":"250ms"}`)
	if m := until("subscribed", "a"); string(m.Resolution) != `"250ms"` {
		t.Errorf("%+v", m)
	}
	w.send(`{"op":"subscribe","id":"b","symbols":["MSFT"],"priority":2}`)
	if m := until("subscribed", "b"); string(m.Resolution) != `"raw"` {
		t.Errorf("%+v", m)
	}
	until("snapshot", "")
	ask(`"id":"a","resolution":"100ms"`, "100ms")
	if seen := counts(1000); seen["AAPL agg"] == 0 || seen["MSFT trade"] < 300 || seen["MSFT agg"] > 0 || seen["AAPL trade"] > 20 {
		t.Errorf("a at 100ms, b raw: %v", seen)
	}
	// No group has this id: it is for all.
	ask(`"id":"x","resolution":"250ms"`, "250ms")
	if seen := counts(20); seen["MSFT trade"] > 2 || seen["MSFT agg"] == 0 || seen["AAPL agg"] == 0 {
		t.Errorf("all at 250ms: %v", seen)
	}
	w.send(`{"op":"ack","ts":1}`) // it has no reply

	// A bound is for the connection.
	const rate, messages, flush = 200, 400, 60 // many are statuses, which are never merged
	ask(`"id":"a","resolution":"raw","max_rate":200`, "paced")
	begin := time.Now()
	counts(messages)
	if took, least := time.Since(begin), time.Second*(messages-flush)/rate; took < least {
		t.Errorf("%d messages came in %v, at %d a second", messages, took, rate)
	}
	ask(`"id":"a","max_bytes":100000`, "paced")
	counts(20)
	ask(`"id":"b","resolution":"raw"`, "raw")
	ask(`"id":"a","resolution":"raw"`, "raw")
	if seen := counts(3000); seen["AAPL trade"] < 300 || seen["MSFT trade"] < 300 {
		t.Errorf("all raw again: %v", seen)
	}
}

// TestPaceFromTheStart asks for a bound in the address.
func TestPaceFromTheStart(t *testing.T) {
	n := startNode(t, nil)
	defer n.pump()()
	for name, visit := range map[string]visit{"WebSocket": visitStream, "SSE": visitEvents} {
		r := newRanges(t)
		begin := time.Now()
		visit(n, "symbols=*&max_rate=300", "", 400, r.take)
		if took := time.Since(begin); took < time.Second || r.seen["agg"] == 0 {
			t.Errorf("%s: 400 messages in %v, at 300 a second: %v", name, took, r.seen)
		}
	}
}

// TestPacesAreRefusedInWords asks for what can't be.
func TestPacesAreRefusedInWords(t *testing.T) {
	n := startNode(t, nil)
	for query, words := range map[string]string{
		"events?symbols=*&max_bytes=10":             "max_bytes is 10, too low for 3 symbols: at least 40",
		"events?symbols=*&max_rate=-1":              "max_rate",
		"events?symbols=*&max_rate=many":            `max_rate is \"many\"`,
		"events?symbols=*&max_rate=1.5":             `max_rate is \"1.5\"`,
		"events?symbols=*&resolution=paced":         "must be one of raw, 100ms, 250ms, 1s, 5s",
		"events?symbols=*&slow=maybe":               "must be adapt or drop",
		"poll?symbols=*&max_rate=10":                "a poll is paced by how often you ask",
		"poll?symbols=*&resolution=1m":              "must be one of raw, 100ms, 250ms, 1s, 5s",
		"events?symbols=AAPL&max_bytes=99999999999": "max_bytes",
	} {
		resp := n.do(http.MethodGet, "/v1/"+query, "")
		if resp.status != http.StatusBadRequest || !strings.Contains(resp.text, words) {
			t.Errorf("%s: %d %s", query, resp.status, resp.text)
		}
	}
	w := n.open("/v1/stream?symbols=*")
	w.until("snapshot")
	for command, words := range map[string]string{
		`"max_bytes":10`:             "max_bytes is 10, too low for 3 symbols: at least 40",
		`"max_rate":-5`:              "must not be negative",
		`"resolution":"paced"`:       "must be one of raw",
		`"resolution":"1s","slow":5`: "slow can't be a JSON number",
		`"max_rate":"many"`:          "max_rate can't be a JSON string",
	} {
		w.send(`{"op":"resolution","id":"r",` + command + `}`)
		if m := w.until("error"); m.ID != "r" || m.Code != "bad_request" || !strings.Contains(m.Message, words) {
			t.Errorf("%s: %+v", command, m)
		}
	}
}

// hoarder is a proxy that takes all that the server sends and passes it on, but for
// while it is told to hold it back.
type hoarder struct {
	mu   sync.Mutex
	more *sync.Cond // on mu
	held bool       // guarded by mu, as what follows
	buf  []byte
	end  bool
}

// newHoarder serves one connection to a server, until the test ends.
func newHoarder(t *testing.T, target string) (h *hoarder, address string) {
	ln, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h = &hoarder{}
	h.more = sync.NewCond(&h.mu)
	var wg sync.WaitGroup
	wg.Go(func() {
		down, err := ln.Accept()
		if err != nil {
			return
		}
		up, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", target)
		if err != nil {
			t.Error(err)
			_ = down.Close()
			return
		}
		wg.Go(func() {
			_, _ = io.Copy(up, down) // ends when one of them is closed
			_ = up.Close()
		})
		wg.Go(func() { h.take(up) })
		h.give(down)
		_ = down.Close()
	})
	t.Cleanup(func() {
		_ = ln.Close()
		h.hold(false)
		wg.Wait()
	})
	return h, ln.Addr().String()
}

// take takes what the server sends, however much that is.
func (h *hoarder) take(up net.Conn) {
	buf := make([]byte, 64<<10)
	for {
		n, err := up.Read(buf)
		h.mu.Lock()
		h.buf = append(h.buf, buf[:n]...)
		h.end = h.end || err != nil
		h.mu.Unlock()
		h.more.Broadcast()
		if err != nil {
			return
		}
	}
}

// give passes it on.
func (h *hoarder) give(down net.Conn) {
	for {
		h.mu.Lock()
		for (h.held || len(h.buf) == 0) && !h.end {
			h.more.Wait()
		}
		buf := h.buf
		h.buf = nil
		h.mu.Unlock()
		if len(buf) == 0 {
			return
		}
		if _, err := down.Write(buf); err != nil {
			return
		}
	}
}

func (h *hoarder) hold(held bool) {
	h.mu.Lock()
	h.held = held
	h.mu.Unlock()
	h.more.Broadcast()
}

// TestSlowBehindAProxy has a proxy take all that the node sends. Of two clients behind
// such ones, the one that acknowledges is adapted.
func TestSlowBehindAProxy(t *testing.T) {
	n := startNode(t, nil)
	defer n.pump()()
	for _, acks := range []bool{true, false} {
		t.Run(fmt.Sprint("acks ", acks), func(t *testing.T) {
			h, address := newHoarder(t, strings.TrimPrefix(n.url, "http://"))
			w := (&node{tape: n.tape, t: t, url: "http://" + address}).open("/v1/stream?symbols=AAPL")
			r, told := newRanges(t), ""
			begin, acked, holding := time.Now(), time.Time{}, false
			for time.Since(begin) < 6*time.Second && told == "" {
				kind, raw, err := w.conn.Read(w.ctx)
				if err != nil || kind != websocket.MessageText {
					t.Fatal(err)
				}
				m := decode(t, raw)
				if r.take(&m) && acks && time.Since(acked) > 200*time.Millisecond {
					acked = time.Now()
					w.send(fmt.Sprintf(`{"op":"ack","ts":%d}`, stamp(t, raw)))
				}
				if m.Type == "resolution" {
					told = m.Reason + " " + string(m.Trades)
				}
				if !holding && time.Since(begin) > 500*time.Millisecond {
					holding = true
					h.hold(true)
					time.AfterFunc(4*time.Second, func() { h.hold(false) })
				}
			}
			want := ""
			if acks {
				want = `slow "raw"`
			}
			if told != want {
				t.Errorf("told %q, want %q", told, want)
			}
			if err := w.conn.CloseNow(); err != nil && !errors.Is(err, net.ErrClosed) {
				t.Error(err)
			}
		})
	}
}

// stamp returns a message's tape time, µs UTC.
func stamp(t *testing.T, raw []byte) int64 {
	var m struct{ TS int64 }
	if err := json.Unmarshal(raw, &m); err != nil {
		t.Fatal(err)
	}
	return m.TS
}
