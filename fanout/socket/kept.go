package socket

import (
	"crypto/tls"
	"fmt"
	"net"
	"sync"

	"github.com/tapecast/tapecast/fanout"
)

// kept are a shard's connections that stay in Go's netpoller, each with a
// goroutine that reads: all of a portable loop, and those with TLS of any loop.
// Their goroutines belong to it.
type kept struct {
	driver *Driver
	shard  *fanout.Shard
	in     sync.Pool      // of *[]byte to read into
	out    sync.Pool      // of *[]byte, what a connection with TLS is to write
	tasks  sync.WaitGroup // goroutines of connections

	mu    sync.Mutex
	conns map[*conn]struct{} // guarded by mu
}

// Sizes of buffers, in bytes.
const (
	readBuffer  = 4 << 10
	writeBuffer = 16 << 10 // of TLS: a record
)

func newKept(d *Driver, s *fanout.Shard) *kept {
	return &kept{driver: d, shard: s, conns: map[*conn]struct{}{}}
}

// take makes a connection of the shard and starts its goroutine. nc is as
// Driver.Take has checked it.
func (k *kept) take(nc net.Conn, early []byte, form fanout.Form, s Session) error {
	c, err := k.connOf(nc)
	if err != nil {
		return err
	}
	c.kept, c.session, c.closed = k, s, make(chan struct{})
	if form == fanout.Frames {
		c.parser = &parser{limit: k.driver.options.MaxMessage, events: c}
	}
	k.mu.Lock()
	k.conns[c] = struct{}{}
	k.mu.Unlock()
	c.sub = k.shard.NewSubscriber(c.socket, form, s.End)
	c.sub.Start(func() { s.Start(c.sub) })
	early = append([]byte(nil), early...)
	k.tasks.Go(func() { c.run(early) })
	return nil
}

func (k *kept) connOf(nc net.Conn) (*conn, error) {
	switch nc := nc.(type) {
	case *net.TCPConn:
		return newPlain(nc)
	case *tls.Conn:
		return newSecure(nc)
	default:
		return nil, fmt.Errorf("socket: a %T", nc)
	}
}

// gone tells every subscriber that its client has left: the next pass closes it.
func (k *kept) gone() { k.each(func(c *conn) { c.sub.Gone() }) }

// wait ends the goroutines of connections, which are closed, and waits for them.
func (k *kept) wait() {
	k.each(func(c *conn) { c.hurry() })
	k.tasks.Wait()
}

func (k *kept) forget(c *conn) {
	k.mu.Lock()
	delete(k.conns, c)
	k.mu.Unlock()
	k.driver.forget()
}

func (k *kept) each(f func(*conn)) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for c := range k.conns {
		f(c)
	}
}

// borrow takes a buffer from a pool, to which it is to be given back.
func borrow(pool *sync.Pool, size int) *[]byte {
	if b, ok := pool.Get().(*[]byte); ok {
		return b
	}
	b := make([]byte, size)
	return &b
}
