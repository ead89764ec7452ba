package socket

import (
	"crypto/tls"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/tapecast/tapecast/fanout"
)

// secure is a kept connection with TLS. A write of TLS waits for the kernel, and
// one that was given up midway can't be gone on with. So the shard's goroutine
// only puts bytes into a box, and a goroutine writes them that is there only
// while the box has something.
type secure struct {
	conn
	tls    *tls.Conn
	writer func()    // empty, made once, so that a write allocates nothing
	input  [512]byte // to read into: TLS can't tell that there is something before it reads

	mu       sync.Mutex
	box      *[]byte // nil: it is empty; guarded by mu, but see next
	from, to int     // what is in it; guarded by mu
	writing  bool    // writer runs; guarded by mu
	full     bool    // the last Write was short; guarded by mu
	ending   bool    // closed in order: good-bye comes after what is in the box; guarded by mu
	err      error   // nothing is written any more; guarded by mu

	// Of a close in order, set before closed is closed.
	until time.Time     // it is waited no longer
	said  chan struct{} // closed by the writer after good-bye, or if it can't be said
}

var _ fanout.Socket = (*secure)(nil)

func newSecure(nc *tls.Conn) (*conn, error) {
	tcp, ok := nc.NetConn().(*net.TCPConn)
	if !ok {
		return nil, fmt.Errorf("socket: TLS on a %T", nc.NetConn())
	}
	part, err := newConn(tcp)
	if err != nil {
		return nil, err
	}
	c := &secure{conn: part, tls: nc}
	c.socket, c.writer = c, c.empty
	return &c.conn, nil
}

// Write implements fanout.Socket. It takes what the box has room for.
func (c *secure) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return 0, c.err
	}
	if c.box == nil {
		c.box = borrow(&c.kept.out, writeBuffer)
	}
	n := copy((*c.box)[c.to:], p)
	c.to += n
	c.full = n < len(p)
	c.begin()
	return n, nil
}

// begin lets the writer run if it does not. mu is held.
func (c *secure) begin() {
	if !c.writing {
		c.writing = true
		c.kept.tasks.Add(1)
		go c.writer()
	}
}

// empty writes what is in the box, and what is put into it meanwhile.
func (c *secure) empty() {
	defer c.kept.tasks.Done()
	for {
		p, last := c.next()
		if len(p) == 0 {
			if last {
				c.bye()
			}
			return
		}
		_, err := c.tls.Write(p)
		c.wrote(len(p), err)
	}
}

// bye tells the client that nothing is missing, if that is so, and that nothing
// follows.
func (c *secure) bye() {
	defer close(c.said)
	c.mu.Lock()
	whole := c.err == nil
	c.mu.Unlock()
	if whole {
		_ = c.tls.CloseWrite()
	}
	_ = c.nc.CloseWrite()
}

// next returns what is to be written. That stays as it is although mu is not
// held, for Write only adds behind it. With nothing to write the box is given
// back, and last says whether good-bye is to be said.
func (c *secure) next() (p []byte, last bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err == nil && c.from < c.to {
		if !c.ending {
			_ = c.nc.SetWriteDeadline(time.Now().Add(userTimeout))
		}
		return (*c.box)[c.from:c.to], false
	}
	if c.box != nil {
		c.kept.out.Put(c.box)
		c.box, c.from, c.to = nil, 0, 0
	}
	c.writing = false
	switch {
	case c.err != nil:
		c.sub.Gone()
	case c.full:
		c.full = false
		c.sub.Writable()
	}
	return nil, c.ending
}

func (c *secure) wrote(n int, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.from += n
	if c.err == nil {
		c.err = err
	}
}

// Unsent returns how many bytes the client has not acknowledged yet, or -1 where
// the system does not tell. Shard's goroutine only, before Close.
func (c *secure) Unsent() int {
	n := c.conn.Unsent()
	if n < 0 {
		return n
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return n + c.to - c.from
}

// Close implements fanout.Socket: the writer says good-bye, the connection's
// goroutine does the rest.
func (c *secure) Close(abort bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.abort = abort
	if abort {
		c.err = net.ErrClosed
		c.giveUp()
	} else {
		c.ending, c.said = true, make(chan struct{})
		c.until = time.Now().Add(c.kept.driver.options.Linger)
		_ = c.nc.SetDeadline(c.until)
		c.begin()
	}
	close(c.closed)
}

// receive implements endpoint.
func (c *secure) receive(use func([]byte) error) error {
	n, err := c.tls.Read(c.input[:])
	if n > 0 {
		return use(c.input[:n]) // the error will be there again
	}
	return err
}

// part implements endpoint. A client that has ended its side may still read, so
// its end does not cut the last words off.
func (c *secure) part() {
	c.discard()
	t := time.NewTimer(time.Until(c.until))
	defer t.Stop()
	select {
	case <-c.said:
	case <-t.C: // TLS gives good-bye five seconds, whatever the deadline was
	}
}
