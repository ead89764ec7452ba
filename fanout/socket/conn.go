package socket

import (
	"errors"
	"fmt"
	"net"
	"syscall"
	"time"

	"github.com/tapecast/tapecast/fanout"
)

// conn is a connection of the portable loop. The shard's goroutine writes and
// closes; the goroutine of run reads, and is the last to let go of it.
type conn struct {
	loop    *portable
	session Session
	sub     *fanout.Subscriber
	nc      *net.TCPConn
	raw     syscall.RawConn
	parser  *parser // nil: nothing that the client sends matters

	closed chan struct{} // closed by Close
	abort  bool          // set before closed is closed

	// What send works on: its closure is made once, so that a write allocates
	// nothing. Shard goroutine only.
	sender func(fd uintptr) bool
	out    []byte
	sent   int
	err    error
}

var _ fanout.Socket = (*conn)(nil)

func newConn(l *portable, tcp *net.TCPConn, form fanout.Form, s Session) (*conn, error) {
	raw, err := tcp.SyscallConn()
	if err != nil {
		return nil, fmt.Errorf("socket: %w", err)
	}
	c := &conn{loop: l, session: s, nc: tcp, raw: raw, closed: make(chan struct{})}
	if form == fanout.Frames {
		c.parser = &parser{limit: l.driver.options.MaxMessage, events: c}
	}
	c.sender = func(fd uintptr) bool {
		c.sent, c.err = send(fd, c.out)
		return true
	}
	return c, nil
}

// Write implements fanout.Socket.
func (c *conn) Write(p []byte) (int, error) {
	c.out = p
	err := c.raw.Write(c.sender)
	c.out = nil
	if err == nil {
		err = c.err
	}
	if err != nil {
		return 0, err
	}
	if c.sent < len(p) {
		c.loop.tasks.Go(c.awaitRoom)
	}
	return c.sent, nil
}

// awaitRoom tells the subscriber when the socket can take bytes again. The
// question is asked within the callback: Go's netpoller forgets what it knew
// before, so that an edge from then would be lost.
func (c *conn) awaitRoom() {
	if err := c.raw.Write(writable); err == nil {
		c.sub.Writable()
	}
}

// Unsent returns how many bytes the client has not acknowledged yet, or -1 where
// the system does not tell. Shard's goroutine only, before Close.
func (c *conn) Unsent() int {
	n := -1
	_ = c.raw.Control(func(fd uintptr) { n = unsent(int(fd)) })
	return n
}

// Close implements fanout.Socket: the connection's goroutine does the rest.
func (c *conn) Close(abort bool) {
	c.abort = abort
	if abort {
		// What was sent is given up, so that a client that takes nothing costs
		// nothing any more. An error means that the connection is gone already.
		_ = c.nc.SetLinger(0)
		_ = c.nc.SetDeadline(time.Unix(1, 0))
	} else {
		_ = c.nc.SetDeadline(time.Now().Add(c.loop.driver.options.Linger))
		_ = c.nc.CloseWrite()
	}
	close(c.closed)
}

// hurry ends the wait for a client that was closed in order.
func (c *conn) hurry() { _ = c.nc.SetDeadline(time.Unix(1, 0)) }

// run reads until the connection is over, and closes it.
func (c *conn) run(early []byte) {
	defer c.loop.forget(c)
	err := c.read(early)
	var v *violation
	switch {
	case errors.As(err, &v):
		c.loop.driver.log.Debug("a client broke the WebSocket protocol", "reason", v.reason, "peer", c.nc.RemoteAddr().String())
		c.finish(fanout.Bye{Code: "bad_request", Close: v.code})
	case errors.Is(err, errPeerClosed):
		c.finish(fanout.Bye{Close: c.parser.closeCode})
	default:
		c.sub.Gone()
	}
	<-c.closed
	if !c.abort {
		c.discard()
	}
	_ = c.nc.Close()
}

// finish ends the subscriber at the next cut, or at the latest when it has had
// its time.
func (c *conn) finish(b fanout.Bye) {
	c.sub.Do(func() { c.sub.End(b) })
	t := time.NewTimer(c.loop.driver.options.Linger)
	defer t.Stop()
	select {
	case <-c.closed:
	case <-t.C:
		c.sub.Gone()
	}
}
