package socket

import (
	"net"
	"time"

	"github.com/tapecast/tapecast/fanout"
)

// plain is a kept connection without TLS: the shard's goroutine writes straight
// to the kernel.
type plain struct {
	conn

	// What send works on: its closure is made once, so that a write allocates
	// nothing. Shard goroutine only.
	sender func(fd uintptr) bool
	out    []byte
	sent   int
	err    error
}

var _ fanout.Socket = (*plain)(nil)

func newPlain(tcp *net.TCPConn) (*conn, error) {
	part, err := newConn(tcp)
	if err != nil {
		return nil, err
	}
	c := &plain{conn: part}
	c.socket = c
	c.sender = func(fd uintptr) bool {
		c.sent, c.err = send(fd, c.out)
		return true
	}
	return &c.conn, nil
}

// Write implements fanout.Socket.
func (c *plain) Write(p []byte) (int, error) {
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
		c.kept.tasks.Go(c.awaitRoom)
	}
	return c.sent, nil
}

// awaitRoom tells the subscriber when the socket can take bytes again. The
// question is asked within the callback: Go's netpoller forgets what it knew
// before, so that an edge from then would be lost.
func (c *plain) awaitRoom() {
	if err := c.raw.Write(writable); err == nil {
		c.sub.Writable()
	}
}

// Close implements fanout.Socket: the connection's goroutine does the rest.
func (c *plain) Close(abort bool) {
	c.abort = abort
	if abort {
		c.giveUp()
	} else {
		_ = c.nc.SetDeadline(time.Now().Add(c.kept.driver.options.Linger))
		_ = c.nc.CloseWrite()
	}
	close(c.closed)
}

// part implements endpoint.
func (c *plain) part() { c.discard() }
