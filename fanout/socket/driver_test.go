package socket

import (
	"context"
	"errors"
	"io"
	"net"
	"runtime"
	"testing"
	"time"

	"github.com/tapecast/tapecast/fanout"
)

// runToEnd runs a driver whose time is over.
func runToEnd(t *testing.T, d *Driver, f *tape) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	begin := time.Now()
	if err := d.Run(ctx, f.hub.Shards()); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(begin); took > d.options.Linger+time.Second {
		t.Errorf("the end took %v", took)
	}
}

func TestOptions(t *testing.T) {
	for _, o := range []Options{{SendBuffer: -1}, {MaxMessage: -1}, {Linger: -1}} {
		if _, err := New(o); err == nil {
			t.Errorf("%+v was taken", o)
		}
	}
}

// TestEndCutsOff ends a driver whose clients nobody has ended: they are reset,
// and the driver takes no more.
func TestEndCutsOff(t *testing.T) {
	f := newTape(t)
	d, err := New(Options{Linger: 50 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	client, v := connect(t, d, f, fanout.Frames, nil)
	runToEnd(t, d, f)
	wait(t, v.ended, "the end")
	if _, err := io.Copy(io.Discard, client); err == nil {
		t.Error("the client was not cut off")
	}
	_, server := pair(t)
	defer server.Close()
	if err := d.Take(server, nil, f.hub.Shards()[0], fanout.Frames, newViewer(f.hub)); !errors.Is(err, ErrClosed) {
		t.Errorf("Take: %v", err)
	}
}

func TestTakeNeedsTCP(t *testing.T) {
	f := newTape(t)
	d := start(t, f, Options{})
	a, b := net.Pipe()
	defer a.Close()
	defer b.Close()
	if err := d.Take(a, nil, f.hub.Shards()[0], fanout.Frames, newViewer(f.hub)); err == nil {
		t.Error("a pipe was taken over")
	}
}

// TestNothingIsLeft connects and disconnects 1,000 times: neither goroutines nor
// connections nor subscribers are left.
func TestNothingIsLeft(t *testing.T) {
	f := newTape(t)
	d := start(t, f, Options{})
	client, v := connect(t, d, f, fanout.Frames, nil)
	client.Close()
	wait(t, v.ended, "the first one")
	before := settled(t, d)
	for range 20 {
		var clients []*net.TCPConn
		var viewers []*viewer
		for range 50 {
			client, v := connect(t, d, f, fanout.Frames, nil)
			clients, viewers = append(clients, client), append(viewers, v)
		}
		f.trades(10)
		for _, c := range clients {
			c.Close()
		}
		for _, v := range viewers {
			wait(t, v.ended, "the end")
		}
	}
	if after := settled(t, d); after > before {
		t.Errorf("%d goroutines before, %d after", before, after)
	}
}

// settled returns how many goroutines there are once the driver has no
// connection.
func settled(t *testing.T, d *Driver) int {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for {
		d.mu.Lock()
		n := len(d.conns)
		d.mu.Unlock()
		if n == 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d connections are left", n)
		}
		runtime.Gosched()
	}
	// The last ones may be about to return.
	least := runtime.NumGoroutine()
	for range 1000 {
		runtime.Gosched()
		least = min(least, runtime.NumGoroutine())
	}
	return least
}

// BenchmarkWrite measures a write to a client that reads.
func BenchmarkWrite(b *testing.B) {
	ln, err := (&net.ListenConfig{}).Listen(b.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer ln.Close()
	out, err := (&net.Dialer{}).DialContext(b.Context(), "tcp", ln.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	in, err := ln.Accept()
	if err != nil {
		b.Fatal(err)
	}
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		_, _ = io.Copy(io.Discard, out)
	}()
	d, err := New(Options{SendBuffer: 1 << 20})
	if err != nil {
		b.Fatal(err)
	}
	c, err := newConn(d, in, fanout.Frames, nil)
	if err != nil {
		b.Fatal(err)
	}
	msg := make([]byte, 100)
	b.ReportAllocs()
	for b.Loop() {
		c.out = msg
		if err := errors.Join(c.raw.Write(c.sender), c.err); err != nil {
			b.Fatal(err)
		}
		if c.sent < len(msg) {
			if err := c.raw.Write(writable); err != nil {
				b.Fatal(err)
			}
		}
	}
	in.Close()
	<-drained
	out.Close()
}

func BenchmarkParser(b *testing.B) {
	in := clientText(`{"op":"ack","ts":1764000000123456}`)
	p := &parser{limit: 64 << 10, events: &silent{}}
	b.ReportAllocs()
	for b.Loop() {
		if err := p.feed(in); err != nil {
			b.Fatal(err)
		}
	}
}

// silent hears nothing.
type silent struct{}

func (*silent) text([]byte) {}
func (*silent) ping([]byte) {}
