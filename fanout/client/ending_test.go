package client

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"
)

func bye(code, retry string) string {
	return `{"type":"bye","code":"` + code + `","retry_ms":` + retry + `,"cursor":"c5"}`
}

// TestEndsForGood has what trying again cannot mend.
func TestEndsForGood(t *testing.T) {
	refusedSub := `{"type":"error","id":"subscribe","code":"unknown_symbol","message":"no such symbol","symbols":["AAPL"]}`
	for name, c := range map[string]struct {
		transport Transport
		step      step
		want      *RefusedError // nil: Run returns nil
	}{
		"end of a replay, ws":     {WebSocket, step{send: []string{hello, bye("end", "0")}}, nil},
		"end of a replay, sse":    {SSE, step{status: http.StatusNoContent}, nil},
		"end of a replay, poll":   {LongPoll, step{body: `{"messages":[` + bye("end", "0") + `],"next":"c"}`}, nil},
		"unauthorized, close":     {WebSocket, step{send: []string{hello}, close: 4001, reason: "key is wrong"}, &RefusedError{Status: 4001, Message: "key is wrong"}},
		"unauthorized, bye":       {WebSocket, step{send: []string{bye("unauthorized", "0")}}, &RefusedError{Code: "unauthorized"}},
		"unauthorized, handshake": {WebSocket, step{status: 401, body: `{"error":{"code":"unauthorized","message":"key is wrong"}}`}, &RefusedError{Status: 401, Code: "unauthorized", Message: "key is wrong"}},
		"forbidden, sse":          {SSE, step{status: 403, body: "  go away \n"}, &RefusedError{Status: 403, Message: "go away"}},
		"bad request, poll":       {ShortPoll, step{status: 400, body: `{"error":{"code":"bad_cursor","message":"cursor is garbled"}}`}, &RefusedError{Status: 400, Code: "bad_cursor", Message: "cursor is garbled"}},
		"subscription, ws":        {WebSocket, step{send: []string{hello, refusedSub}}, &RefusedError{Code: "unknown_symbol", Message: "no such symbol"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := newNode(newTape(0), c.step)
				r := newRig(t, Options{Transport: c.transport, Symbols: []string{"AAPL"}}, nil, n)
				err := r.Run(t.Context(), r.handle)
				if len(n.requests) != 1 {
					t.Errorf("%d requests", len(n.requests))
				}
				if c.want == nil {
					if err != nil {
						t.Errorf("Run: %v", err)
					}
					return
				}
				var refused *RefusedError
				if !errors.As(err, &refused) || *refused != *c.want {
					t.Errorf("Run: %v, want %v", err, c.want)
				}
				if err == nil || !strings.Contains(err.Error(), c.want.Message) {
					t.Errorf("%v does not say %q", err, c.want.Message)
				}
			})
		})
	}
}

// TestGoesOn has what is mended by reconnecting: when, and at which node.
func TestGoesOn(t *testing.T) {
	second := time.Second
	for name, c := range map[string]struct {
		transport   Transport
		step        step
		least, most time.Duration
		elsewhere   bool
		cursor      string
	}{
		"drain, ws close":   {WebSocket, step{send: []string{hello}, close: websocket.StatusServiceRestart}, 0, soonJitter, true, ""},
		"drain, ws bye":     {WebSocket, step{send: []string{hello, bye("draining", "1500")}}, 1500 * time.Millisecond, 1500*time.Millisecond + soonJitter + closeGrace, true, "c5"},
		"drain, sse":        {SSE, step{body: "retry: 2000\ndata: " + bye("draining", "100") + "\n\n"}, second / 10, second/10 + soonJitter, true, "c5"},
		"slow, sse":         {SSE, step{body: "retry: 2000\n\ndata: " + bye("slow", "100") + "\n\n"}, second / 10, second/10 + firstBackoff, false, "c5"},
		"retry, same node":  {SSE, step{body: "retry: 2000\ndata: x\n\n"}, 2 * second, 2*second + firstBackoff, false, ""},
		"retry, other node": {SSE, step{body: "retry: 2000\n\ndata: " + hello + "\n\n", abort: true}, 0, firstBackoff, true, ""},
		"slow, bye":         {WebSocket, step{send: []string{hello, bye("slow", "700")}}, 700 * time.Millisecond, 800*time.Millisecond + closeGrace, false, "c5"},
		"slow, close":       {WebSocket, step{send: []string{hello}, close: 4100}, 0, firstBackoff, false, ""},
		"expired, close":    {WebSocket, step{send: []string{hello}, close: 4102}, 0, firstBackoff, false, ""},
		"going away":        {WebSocket, step{send: []string{hello}, close: websocket.StatusGoingAway}, 0, firstBackoff, true, ""},
		"cut":               {WebSocket, step{send: []string{hello}, abort: true}, 0, firstBackoff, true, ""},
		"sse ends":          {SSE, step{body: "data: " + hello + "\n\n", abort: true}, 0, firstBackoff, true, ""},
		"503 handshake":     {WebSocket, step{status: 503}, 0, firstBackoff, true, ""},
		"500 poll":          {LongPoll, step{status: 500}, 0, firstBackoff, true, ""},
		"429 poll":          {LongPoll, step{status: 429, header: "2"}, 2 * second, 2*second + firstBackoff, false, ""},
		"408 sse":           {SSE, step{status: 408}, 0, firstBackoff, false, ""},
		"limit, subscribe":  {WebSocket, step{send: []string{`{"type":"error","id":"subscribe","code":"limit","message":"too many"}`}}, 0, firstBackoff + closeGrace, false, ""},
		"a strange retry":   {WebSocket, step{send: []string{hello, bye("slow", "90000000000")}}, time.Minute, time.Minute + firstBackoff + closeGrace, false, "c5"},
		"some are unknown":  {WebSocket, step{send: []string{`{"type":"error","id":"subscribe","code":"unknown_symbol","symbols":["X"]}`, hello}, abort: true}, 0, firstBackoff, true, ""},
		"a binary message":  {WebSocket, step{send: []string{"\x00"}}, 0, firstBackoff + closeGrace, false, ""},
		"an endless event":  {SSE, step{body: "data: " + strings.Repeat("x", maxBody+64<<10)}, 0, firstBackoff, false, ""},
		"an endless answer": {LongPoll, step{body: strings.Repeat(" ", maxBody+1)}, 0, firstBackoff, false, ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tape := newTape(20)
				a, b := newNode(tape, c.step), newNode(tape)
				r := newRig(t, Options{Transport: c.transport, Symbols: []string{"AAPL", "BTCUSDT"}}, nil, a, b)
				began := time.Now()
				var took time.Duration
				r.until = func() bool {
					if len(a.requests)+len(b.requests) == 2 && took == 0 {
						took = time.Since(began)
					}
					return took > 0
				}
				if err := r.Run(t.Context(), r.handle); !errors.Is(err, errDone) {
					t.Fatal(err)
				}
				if slack := 5 * time.Millisecond; took < c.least || took > c.most+slack {
					t.Errorf("the second connection came after %v, must be %v to %v", took, c.least, c.most)
				}
				next := a
				if c.elsewhere {
					next = b
				}
				if c.elsewhere != (len(b.requests) == 1) || c.elsewhere != (len(a.requests) == 1) {
					t.Errorf("requests: %d at the first node, %d at the second", len(a.requests), len(b.requests))
				}
				last := next.requests[len(next.requests)-1]
				cursor := last.Header.Get("Last-Event-ID") + last.URL.Query().Get("cursor")
				for _, cmd := range next.commands {
					cursor = cmd.Cursor
				}
				if cursor != c.cursor {
					t.Errorf("resumed at %q, want %q", cursor, c.cursor)
				}
			})
		})
	}
}

// TestBackoffGrowsAndIsBounded looks at the waits themselves, many times.
func TestBackoffGrowsAndIsBounded(t *testing.T) {
	for try := range 70 {
		bound := min(5*time.Second, firstBackoff<<min(try, 16))
		var most time.Duration
		for range 300 {
			most = max(most, ending{}.wait(try, 5*time.Second))
		}
		if most > bound || most < bound*9/10 {
			t.Errorf("try %d waits up to %v, must be up to %v", try, most, bound)
		}
	}
	if got := (ending{floor: time.Second}).wait(0, time.Millisecond); got < time.Second || got > time.Second+time.Millisecond {
		t.Errorf("a node that asks for 1 s got %v", got)
	}
}

// TestDrainIsNoBackoff tells a draining node's close from any other: every
// client is to come back soon, however bad the last tries were.
func TestDrainIsNoBackoff(t *testing.T) {
	drain := judge(websocket.CloseError{Code: websocket.StatusServiceRestart})
	other := judge(websocket.CloseError{Code: websocket.StatusInternalError})
	if !drain.soon || other.soon || drain.level() >= other.level() {
		t.Errorf("drain %+v, other %+v", drain, other)
	}
}

// TestSteadyConnectionsBeginBackoffAnew has a node that goes silent again and
// again.
func TestSteadyConnectionsBeginBackoffAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Options{}, nil, newNode(newTape(0)))
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Minute)
		defer cancel()
		if err := r.Run(ctx, r.handle); err != nil {
			t.Fatal(err)
		}
		hellos := 0
		for _, m := range r.got {
			if m.Type == TypeHello {
				hellos++
			}
		}
		// Each connection lives 30 s, two heartbeats, and a little to say good-bye.
		// With a backoff that has grown it would be about 37 in 20 minutes.
		if hellos < 39 || hellos > 40 {
			t.Errorf("%d connections in 20 minutes, want nearly 40", hellos)
		}
	})
}

func TestRefusalTextIsBounded(t *testing.T) {
	resp := &http.Response{StatusCode: 500, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(strings.Repeat("\xffa", maxError)))}
	err := refusal(resp)
	if got := err.Error(); len(got) > 300 || !strings.Contains(got, "(500): ?a?a") {
		t.Errorf("%d bytes: %.60q", len(got), got)
	}
}
