package socket

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/tapecast/tapecast/fanout"
)

// Options says what a driver is to be. The zero value is good.
type Options struct {
	// SendBuffer is the size of the kernel's send buffer of each connection, in
	// bytes; 16 KiB by default. It is small on purpose: what waits there can't be
	// merged any more, and hides that a client is slow.
	SendBuffer int
	// MaxMessage is the longest message that a WebSocket client may send, in
	// bytes; 64 KiB by default.
	MaxMessage int
	// Linger bounds how long a connection that was ended in order waits for its
	// client to take what was sent, and how long Run waits for connections when
	// it ends; 1 s by default.
	Linger time.Duration
	Log    *slog.Logger
}

// Session is the use that is made of a connection.
type Session interface {
	// Start is called first, on the shard's goroutine, by Subscriber.Start.
	Start(c *fanout.Subscriber)
	// Text takes one whole text message of a WebSocket, which is only lent. What
	// it returns, if not nil, is run at the next cut, as Subscriber.Do does, and
	// only then the next message is read: a client that sends faster than it
	// reads is slowed down by its own connection. Called by one goroutine of the
	// connection.
	Text(c *fanout.Subscriber, msg []byte) func()
	// End is called last, on the shard's goroutine.
	End()
}

// Driver runs shards and their connections.
type Driver struct {
	options Options
	log     *slog.Logger
	buffers sync.Pool // of *[]byte to read into

	mu      sync.Mutex
	conns   map[*conn]struct{} // guarded by mu
	closed  bool               // guarded by mu
	emptied chan struct{}      // closed when closed and no connection is left
	tasks   sync.WaitGroup     // goroutines of connections
}

// readBuffer is the size of a read, in bytes.
const readBuffer = 4 << 10

// ErrClosed is returned by Take when the driver ends.
var ErrClosed = errors.New("the node is shutting down")

// New returns a driver that is to be run by Run, once.
func New(o Options) (*Driver, error) {
	if !supported {
		return nil, errors.New("socket: this operating system is not supported; use Linux, macOS or a BSD")
	}
	if o.SendBuffer < 0 || o.MaxMessage < 0 || o.Linger < 0 {
		return nil, errors.New("socket: SendBuffer, MaxMessage and Linger must not be negative")
	}
	if o.SendBuffer == 0 {
		o.SendBuffer = 16 << 10
	}
	if o.MaxMessage == 0 {
		o.MaxMessage = 64 << 10
	}
	if o.Linger == 0 {
		o.Linger = time.Second
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	d := &Driver{options: o, log: o.Log, conns: map[*conn]struct{}{}, emptied: make(chan struct{})}
	d.buffers.New = func() any {
		b := make([]byte, readBuffer)
		return &b
	}
	return d, nil
}

// Run runs the shards until ctx ends. Then it takes no more connections and
// waits, for Options.Linger at the most, for those that are there to be ended by
// whoever started them; what is left is cut off. All goroutines have ended when
// it returns. A server is to be stopped first, so that its clients hear of it.
func (d *Driver) Run(ctx context.Context, shards []*fanout.Shard) error {
	stop := make(chan struct{})
	var loops sync.WaitGroup
	for _, s := range shards {
		loops.Go(func() { loop(s, stop) })
	}
	<-ctx.Done()
	d.refuse()
	t := time.NewTimer(d.options.Linger)
	defer t.Stop()
	select {
	case <-d.emptied:
	case <-t.C:
		d.each(func(c *conn) { c.sub.Gone() })
	}
	close(stop)
	loops.Wait()
	d.each(func(c *conn) { c.hurry() })
	d.tasks.Wait()
	return nil
}

// loop calls a shard's Pass whenever it was woken or the time has come that the
// last Pass asked for.
func loop(s *fanout.Shard, stop <-chan struct{}) {
	wake := make(chan struct{}, 1)
	s.OnWake(func() {
		select {
		case wake <- struct{}{}:
		default:
		}
	})
	timer := time.NewTimer(0)
	defer timer.Stop()
	var due time.Time
	for {
		now := time.Now()
		if next := s.Pass(now); !next.Equal(due) {
			due = next
			timer.Reset(due.Sub(now))
		}
		select {
		case <-wake:
		case <-timer.C:
			due = time.Time{}
		case <-stop:
			s.OnWake(func() {})
			s.Pass(time.Now())
			return
		}
	}
}

// Take takes a connection over and gives its subscriber to the session. early
// is what the client has sent already behind its handshake; it is only lent. On
// an error the connection still belongs to the caller, and the session was not
// called.
func (d *Driver) Take(nc net.Conn, early []byte, shard *fanout.Shard, form fanout.Form, s Session) error {
	c, err := newConn(d, nc, form, s)
	if err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return ErrClosed
	}
	d.conns[c] = struct{}{}
	c.sub = shard.NewSubscriber(c, form, s.End)
	c.sub.Start(func() { s.Start(c.sub) })
	early = append([]byte(nil), early...)
	d.tasks.Go(func() { c.run(early) })
	return nil
}

func (d *Driver) refuse() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = true
	if len(d.conns) == 0 {
		close(d.emptied)
	}
}

func (d *Driver) forget(c *conn) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.conns, c)
	if d.closed && len(d.conns) == 0 {
		close(d.emptied)
	}
}

func (d *Driver) each(f func(*conn)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for c := range d.conns {
		f(c)
	}
}
