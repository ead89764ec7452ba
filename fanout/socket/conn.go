package socket

import (
	"errors"
	"fmt"
	"net"
	"syscall"
	"time"

	"github.com/tapecast/tapecast/fanout"
)

// conn is the life of a kept connection, plain or with TLS. The shard's goroutine
// writes and closes, by socket; the goroutine of run reads, and is the last to let
// go of it.
type conn struct {
	kept    *kept
	session Session
	sub     *fanout.Subscriber
	socket  endpoint // what this is a part of
	nc      *net.TCPConn
	raw     syscall.RawConn
	parser  *parser // nil: nothing that the client sends matters

	closed chan struct{} // closed by Close
	abort  bool          // set before closed is closed
}

// endpoint is where connections differ: *plain and *secure.
type endpoint interface {
	fanout.Socket
	// receive waits for bytes and lends them to use. run's goroutine only.
	receive(use func([]byte) error) error
	// part waits, after a close in order, until the client has ended its side and
	// all is with the kernel, or the time is over. run's goroutine only.
	part()
}

func newConn(tcp *net.TCPConn) (conn, error) {
	raw, err := tcp.SyscallConn()
	if err != nil {
		return conn{}, fmt.Errorf("socket: %w", err)
	}
	return conn{nc: tcp, raw: raw}, nil
}

// Unsent returns how many bytes the client has not acknowledged yet, or -1 where
// the system does not tell. Shard's goroutine only, before Close.
func (c *conn) Unsent() int {
	n := -1
	_ = c.raw.Control(func(fd uintptr) { n = unsent(int(fd)) })
	return n
}

// giveUp makes everybody return who waits for the connection. What was sent is
// given up too, so that a client that takes nothing costs nothing any more.
func (c *conn) giveUp() {
	// An error means that the connection is gone already.
	_ = c.nc.SetLinger(0)
	c.hurry()
}

// hurry ends the wait for a client that was closed in order.
func (c *conn) hurry() { _ = c.nc.SetDeadline(time.Unix(1, 0)) }

// run reads until the connection is over, and closes it.
func (c *conn) run(early []byte) {
	defer c.kept.forget(c)
	err := c.read(early)
	var v *violation
	switch {
	case errors.As(err, &v):
		c.kept.driver.log.Debug("a client broke the WebSocket protocol", "reason", v.reason, "peer", c.nc.RemoteAddr().String())
		c.finish(fanout.Bye{Code: "bad_request", Close: v.code})
	case errors.Is(err, errPeerClosed):
		c.finish(fanout.Bye{Close: c.parser.closeCode})
	default:
		c.sub.Gone()
	}
	<-c.closed
	if !c.abort {
		c.socket.part()
	}
	_ = c.nc.Close()
}

// finish ends the subscriber at the next cut, or at the latest when it has had
// its time.
func (c *conn) finish(b fanout.Bye) {
	c.sub.Do(func() { c.sub.End(b) })
	t := time.NewTimer(c.kept.driver.options.Linger)
	defer t.Stop()
	select {
	case <-c.closed:
	case <-t.C:
		c.sub.Gone()
	}
}
