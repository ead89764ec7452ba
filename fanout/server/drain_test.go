package server_test

import (
	"errors"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/tapecast/tapecast/fanout"
)

// TestDrain stops a node with clients on every transport: all are told, and it
// is quick.
func TestDrain(t *testing.T) {
	n := startNode(t, nil)
	w := n.open("/v1/stream?symbols=AAPL")
	w.until("snapshot")
	e := n.listen("/v1/events?symbols=AAPL")
	e.want("hello")
	e.want("subscribed")
	e.want("snapshot")
	at := n.poll("symbols=AAPL").Next
	polled := make(chan answer, 1)
	go func() { polled <- n.poll("symbols=AAPL&wait=25&cursor=" + at) }()
	// A browser opens connections that it may never use.
	idle, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", n.url[len("http://"):])
	if err != nil {
		t.Fatal(err)
	}
	defer idle.Close()
	// Let the poll begin to wait: its answer is then the one of the drain.
	<-time.After(50 * time.Millisecond)

	if took := n.stop(); took > 2*time.Second {
		t.Errorf("it took %v", took)
	}
	m := w.want("bye")
	if m.Code != "draining" || m.Cursor == "" || m.Retry > 1000 {
		t.Errorf("%+v", m)
	}
	_, _, err = w.conn.Read(w.ctx)
	if code := websocket.CloseStatus(err); code != websocket.StatusServiceRestart {
		t.Errorf("closed with %v: %v", code, err)
	}
	if m := e.want("bye"); m.Code != "draining" || e.id != m.Cursor {
		t.Errorf("%+v, id %s", m, e.id)
	}
	if a := <-polled; len(a.Messages) != 0 || a.Next != at {
		t.Errorf("%+v", a)
	}
	if resp, err := n.try(http.MethodGet, "/healthz", ""); err == nil {
		resp.Body.Close()
		t.Error("it still answers")
	}
}

// TestDrainOfTheDeaf stops a node while a client takes nothing.
func TestDrainOfTheDeaf(t *testing.T) {
	n := startNode(t, nil)
	w := n.open("/v1/stream?symbols=AAPL")
	w.until("snapshot")
	n.trades("AAPL", 30_000)
	if took := n.stop(); took > 2*time.Second {
		t.Errorf("it took %v", took)
	}
	for {
		_, _, err := w.conn.Read(w.ctx)
		if err == nil {
			continue
		}
		if errors.Is(err, w.ctx.Err()) {
			t.Error("it was not cut off")
		}
		return
	}
}

// TestUse goes over to another tape: clients are told, come back with their
// cursor, and begin anew.
func TestUse(t *testing.T) {
	n := startNode(t, nil)
	e := n.listen("/v1/events?symbols=AAPL")
	e.want("hello")
	e.want("subscribed")
	e.want("snapshot")

	other := newTape(t, testTape+1, nil)
	other.trades("AAPL", 7)
	driver, stop := other.run(t)
	defer stop()
	defer n.stop()
	n.server.Use(other.hub, driver)
	n.stops()
	if m := e.want("bye"); m.Code != "new_tape" {
		t.Errorf("%+v", m)
	}
	e = n.listen("/v1/events?symbols=AAPL", "Last-Event-ID", e.id)
	if m := e.want("hello"); m.Tape != other.id.String() {
		t.Errorf("%+v", m)
	}
	e.want("reset")
	e.want("subscribed")
	if m := e.want("snapshot"); m.Trade.Seq != 7 {
		t.Errorf("%+v", m)
	}
}

// TestNotReady asks a node that has not seen its tape yet.
func TestNotReady(t *testing.T) {
	hub, err := fanout.New(fanout.Options{Encoder: encoder(), From: []int64{0}})
	if err != nil {
		t.Fatal(err)
	}
	n := startNode(t, nil)
	driver, stop := (&tape{t: t, hub: hub}).run(t)
	defer stop()
	defer n.stop()
	n.server.Use(hub, driver)
	for _, path := range []string{"/readyz", "/v1/poll?symbols=*", "/v1/events?symbols=*", "/v1/symbols", "/v1/bars?symbol=AAPL"} {
		resp := n.do(http.MethodGet, path, "")
		if resp.status != 503 || resp.header.Get("Retry-After") == "" {
			t.Errorf("%s: %+v", path, resp)
		}
	}
	for _, path := range []string{"/healthz", "/v1/stats"} {
		if resp := n.do(http.MethodGet, path, ""); resp.status != 200 {
			t.Errorf("%s: %d", path, resp.status)
		}
	}
}
