package socket

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/tapecast/tapecast/fanout"
)

// onlySecure returns the one connection of a driver, which has TLS.
func onlySecure(t *testing.T, d *Driver, f *tape) *secure {
	t.Helper()
	c, ok := onlySocket(t, d, f.hub.Shards()[0]).(*secure)
	if !ok {
		t.Fatal("it has no TLS")
	}
	return c
}

// boxed returns how many bytes are to be written, and whether somebody writes.
func (c *secure) boxed() (n int, writing bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.to - c.from, c.writing
}

// recorder keeps what its reader has read.
type recorder struct {
	net.Conn
	mu   sync.Mutex
	read []byte
}

func (r *recorder) Read(p []byte) (int, error) {
	n, err := r.Conn.Read(p)
	r.mu.Lock()
	r.read = append(r.read, p[:n]...)
	r.mu.Unlock()
	return n, err
}

// TestGoodByeOfTLS looks at the records: the last one is the alert that says that
// nothing is missing, so that a cut line can be told from an end.
func TestGoodByeOfTLS(t *testing.T) {
	f := newTape(t)
	d := start(t, f, way{})
	client, server := pair(t)
	seen := &recorder{Conn: client}
	// Up to 1.2 the type of a record can be seen.
	over := tls.Client(seen, &tls.Config{InsecureSkipVerify: true, MaxVersion: tls.VersionTLS12}) // it is ours
	under := tls.Server(server, secret())
	failed := make(chan error, 1)
	go func() { failed <- over.HandshakeContext(t.Context()) }()
	if err := errors.Join(under.HandshakeContext(t.Context()), <-failed); err != nil {
		t.Fatal(err)
	}
	v := newViewer(f.hub)
	if err := d.Take(under, nil, f.hub.Shards()[0], fanout.Event, v); err != nil {
		t.Fatal(err)
	}
	c := wait(t, v.started, "start")
	c.Do(func() { c.End(fanout.Bye{Code: "draining"}) })
	if _, err := io.Copy(io.Discard, over); err != nil {
		t.Fatal(err)
	}
	const header, alert = 5, 21
	var last byte
	for b := seen.read; len(b) >= header; {
		last = b[0]
		b = b[min(len(b), header+int(b[3])<<8+int(b[4])):]
	}
	if last != alert {
		t.Errorf("the last record is of type %d", last)
	}
}

// TestWriterComesAndGoes has one goroutine for an idle connection, and no box.
func TestWriterComesAndGoes(t *testing.T) {
	f := newTape(t)
	d := start(t, f, way{tls: true})
	started(t, f.hub.Shards()[0], 0)
	before := settled(t, d)
	client, v := connect(t, d, f, fanout.Frames, nil)
	wait(t, v.started, "start")
	f.trades(100)
	newFrames(t, client).until("trade")
	c := onlySecure(t, d, f)
	for _, writing := c.boxed(); writing; _, writing = c.boxed() {
		runtime.Gosched()
	}
	if c.box != nil {
		t.Error("an idle connection keeps a box")
	}
	if least := goroutines(before.goroutines + 1); least > before.goroutines+1 {
		t.Errorf("%d goroutines before, %d with an idle connection", before.goroutines, least)
	}
}

// fillKernel writes until the kernel takes no more, and leaves room in the box.
func fillKernel(t *testing.T, f *tape, c *secure) {
	t.Helper()
	junk := make([]byte, 4<<10)
	for {
		ran := make(chan struct{})
		f.hub.Shards()[0].Post(func() {
			if n, err := c.Write(junk); err != nil || n != len(junk) {
				t.Errorf("%d bytes written: %v", n, err)
			}
			close(ran)
		})
		wait(t, ran, "a pass")
		begin := time.Now()
		for _, writing := c.boxed(); writing; _, writing = c.boxed() {
			if time.Since(begin) > 200*time.Millisecond {
				return
			}
			runtime.Gosched()
		}
	}
}

// TestBoxIsBounded writes to a client that reads nothing: more than the box holds
// is not taken, and all of it is there when the client reads.
func TestBoxIsBounded(t *testing.T) {
	f := newTape(t)
	d := start(t, f, way{tls: true})
	client, v := connect(t, d, f, fanout.Event, nil)
	wait(t, v.started, "start")
	c := onlySecure(t, d, f)
	fillKernel(t, f, c)
	taken := make(chan int, 1)
	f.hub.Shards()[0].Post(func() {
		n, err := c.Write(make([]byte, 1<<20))
		if err != nil {
			t.Error(err)
		}
		taken <- n
	})
	if n := wait(t, taken, "a write"); n > writeBuffer {
		t.Errorf("%d bytes were taken", n)
	}
	if n, _ := c.boxed(); n > writeBuffer {
		t.Errorf("%d bytes wait", n)
	}
	go func() { _, _ = io.Copy(io.Discard, client) }()
	for _, writing := c.boxed(); writing; _, writing = c.boxed() {
		runtime.Gosched()
	}
}

// TestEndOfFullTLS ends a client in order that takes nothing: neither its last
// bytes nor the good-bye of TLS, which has five seconds of its own, keep the
// connection longer than Linger.
func TestEndOfFullTLS(t *testing.T) {
	f := newTape(t)
	d := start(t, f, way{tls: true, Options: Options{Linger: 100 * time.Millisecond}})
	_, v := connect(t, d, f, fanout.Event, nil)
	c := wait(t, v.started, "start")
	fillKernel(t, f, onlySecure(t, d, f))
	begin := time.Now()
	c.Do(func() { c.End(fanout.Bye{Code: "draining"}) })
	wait(t, v.ended, "the end")
	settled(t, d)
	if took := time.Since(begin); took > 4*time.Second {
		t.Errorf("it took %v", took)
	}
}
