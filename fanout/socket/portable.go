package socket

import (
	"context"
	"net"
	"sync"
	"time"

	"github.com/tapecast/tapecast/fanout"
)

// portable is the loop for systems without epoll: connections stay in Go's
// netpoller, each with a goroutine that reads.
type portable struct {
	driver  *Driver
	shard   *fanout.Shard
	buffers sync.Pool      // of *[]byte to read into
	tasks   sync.WaitGroup // goroutines of connections

	mu    sync.Mutex
	conns map[*conn]struct{} // guarded by mu
}

// readBuffer is the size of a read, in bytes.
const readBuffer = 4 << 10

var _ loop = (*portable)(nil)

func newPortable(d *Driver, s *fanout.Shard) *portable {
	return &portable{driver: d, shard: s, conns: map[*conn]struct{}{}}
}

// take implements loop: it keeps the connection.
func (l *portable) take(tcp *net.TCPConn, early []byte, form fanout.Form, s Session) error {
	c, err := newConn(l, tcp, form, s)
	if err != nil {
		return err
	}
	l.mu.Lock()
	l.conns[c] = struct{}{}
	l.mu.Unlock()
	c.sub = l.shard.NewSubscriber(c, form, s.End)
	c.sub.Start(func() { s.Start(c.sub) })
	early = append([]byte(nil), early...)
	l.tasks.Go(func() { c.run(early) })
	return nil
}

// run implements loop.
func (l *portable) run(ctx context.Context) {
	wake := make(chan struct{}, 1)
	l.shard.OnWake(func() {
		select {
		case wake <- struct{}{}:
		default:
		}
	})
	timer := time.NewTimer(0)
	defer timer.Stop()
	cadence := cadence{most: l.driver.options.Cadence}
	woken := true // by what was posted before
	for ctx.Err() == nil {
		if now := time.Now(); !now.Before(cadence.due(woken)) {
			woken = false
			cadence.pass(l.shard, now)
		}
		waking := wake
		if woken {
			waking = nil
		}
		timer.Reset(time.Until(cadence.due(woken)))
		select {
		case <-waking:
			woken = true
		case <-timer.C:
		case <-ctx.Done():
		}
	}
	l.close()
}

// close cuts off what is left and waits for its goroutines.
func (l *portable) close() {
	l.shard.OnWake(func() {})
	l.each(func(c *conn) { c.sub.Gone() })
	l.shard.Pass(time.Now())
	l.each(func(c *conn) { c.hurry() })
	l.tasks.Wait()
}

func (l *portable) forget(c *conn) {
	l.mu.Lock()
	delete(l.conns, c)
	l.mu.Unlock()
	l.driver.forget()
}

func (l *portable) each(f func(*conn)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for c := range l.conns {
		f(c)
	}
}

func (l *portable) buffer() *[]byte {
	if b, ok := l.buffers.Get().(*[]byte); ok {
		return b
	}
	b := make([]byte, readBuffer)
	return &b
}
