package socket

import (
	"errors"
	"io"
)

// errPeerClosed says that the client sent a close frame.
var errPeerClosed = errors.New("the client closed the WebSocket")

// read hands what comes to the parser until the client leaves, breaks the
// protocol or the connection is closed.
func (c *conn) read(early []byte) error {
	if err := c.take(early); err != nil {
		return err
	}
	for {
		if err := c.socket.receive(c.take); err != nil {
			return err
		}
	}
}

// take parses bytes that have come.
func (c *conn) take(b []byte) error {
	if c.parser == nil {
		return nil
	}
	if _, err := c.parser.feed(b); err != nil {
		return err
	}
	if c.parser.done {
		return errPeerClosed
	}
	return nil
}

// receive waits for bytes of the plain connection and lends them to use. While it
// waits it holds no buffer, so that an idle connection costs none.
func (c *conn) receive(use func([]byte) error) error {
	var (
		buf  *[]byte
		n    int
		fail error
	)
	err := c.raw.Read(func(fd uintptr) bool {
		buf = borrow(&c.kept.in, readBuffer)
		var again bool
		if n, again, fail = recv(fd, *buf); again {
			c.kept.in.Put(buf)
			buf = nil
			return false
		}
		return true
	})
	if buf != nil {
		defer c.kept.in.Put(buf)
	}
	switch {
	case err != nil:
		return err
	case fail != nil:
		return fail
	case n == 0:
		return io.EOF
	default:
		return use((*buf)[:n])
	}
}

// discard reads what a client still sends until it has closed its side, or the
// deadline comes. A socket that is closed with bytes unread is reset, and what
// was sent is lost. With TLS too it reads what is below: nobody looks at it.
func (c *conn) discard() {
	for {
		if err := c.receive(func([]byte) error { return nil }); err != nil {
			return
		}
	}
}

// text implements events. The goroutine itself waits, so the parser need not.
func (c *conn) text(msg []byte) bool {
	if apply := c.session.Text(c.sub, msg); apply != nil {
		c.atCut(apply)
	}
	return true
}

// ping implements events.
func (c *conn) ping(payload []byte) bool {
	pong := appendPong(nil, payload)
	c.atCut(func() { c.sub.SendRaw(pong) })
	return true
}

// atCut runs f at the next cut and waits for that, so that no more than one
// message of a client is ever held.
func (c *conn) atCut(f func()) {
	done := make(chan struct{})
	c.sub.Do(func() {
		f()
		close(done)
	})
	select {
	case <-done:
	case <-c.closed:
	}
}

var _ events = (*conn)(nil)
