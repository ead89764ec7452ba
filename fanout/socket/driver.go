package socket

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tapecast/tapecast/fanout"
)

// Options says what a driver is to be. The zero value is good.
type Options struct {
	// Portable chooses the portable driver where there is a faster one: on Linux,
	// where epoll is the default. Both do the same. Connections with TLS are driven
	// the portable way in any case.
	Portable bool
	// Cadence bounds how long a shard rests between two passes when they are long
	// (see pause); 5 ms by default, 20 ms at the most. It trades the latency of a
	// busy shard for CPU. Negative: it never rests.
	Cadence time.Duration
	// SendBuffer is the size of the kernel's send buffer of each connection, in
	// bytes; by default 64 KiB where NotSentLowat works, else 16 KiB. It bounds
	// what is on its way, so it is not to be small where that is long.
	SendBuffer int
	// NotSentLowat bounds how many bytes may wait in that buffer to be sent
	// (TCP_NOTSENT_LOWAT; Linux only); 16 KiB by default, negative: no bound. It is
	// small on purpose: what waits there can't be merged any more, and hides that
	// a client is slow.
	NotSentLowat int
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
	// reads is slowed down by its own connection. The calls for one connection
	// follow each other, on the shard's goroutine or on one of the connection's
	// own, so Text must neither wait nor touch what belongs to the shard.
	Text(c *fanout.Subscriber, msg []byte) func()
	// End is called last, on the shard's goroutine.
	End()
}

// Driver runs shards and their connections.
type Driver struct {
	options Options
	log     *slog.Logger

	mu     sync.RWMutex // held for reading while a connection is taken
	loops  map[*fanout.Shard]loop
	closed bool

	live    atomic.Int64 // connections
	ending  atomic.Bool
	once    sync.Once
	emptied chan struct{} // closed when ending and no connection is left
}

// loop drives one shard and its connections.
type loop interface {
	// take makes a connection of the shard, and on success closes or keeps nc,
	// which is a *net.TCPConn or a *tls.Conn on one. Any goroutine, before run has
	// ended.
	take(nc net.Conn, early []byte, form fanout.Form, s Session) error
	// run calls the shard's Pass until ctx ends. Then it cuts off what is left and
	// releases all that the loop has.
	run(ctx context.Context)
}

// ErrClosed is returned by Take when the driver ends.
var ErrClosed = errors.New("the node is shutting down")

// mostCadence is where coalescing stops to help and latency begins to show.
const mostCadence = 20 * time.Millisecond

// New returns a driver that is to be run by Run, once.
func New(o Options) (*Driver, error) {
	if !supported {
		return nil, errors.New("socket: this operating system is not supported; use Linux, macOS or a BSD")
	}
	if o.SendBuffer < 0 || o.MaxMessage < 0 || o.Linger < 0 {
		return nil, errors.New("socket: SendBuffer, MaxMessage and Linger must not be negative")
	}
	if o.Cadence > mostCadence {
		return nil, fmt.Errorf("socket: a cadence of %v is too long, %v is the most", o.Cadence, mostCadence)
	}
	if o.Cadence == 0 {
		o.Cadence = 5 * time.Millisecond
	}
	if o.SendBuffer == 0 {
		o.SendBuffer = sendBuffer
	}
	if o.NotSentLowat == 0 {
		o.NotSentLowat = 16 << 10
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
	return &Driver{options: o, log: o.Log, loops: map[*fanout.Shard]loop{}, emptied: make(chan struct{})}, nil
}

// Run runs the shards until ctx ends. Then it takes no more connections and
// waits, for Options.Linger at the most, for those that are there to be ended by
// whoever started them; what is left is cut off. All goroutines have ended and
// all descriptors are closed when it returns. A server is to be stopped first, so
// that its clients hear of it.
func (d *Driver) Run(ctx context.Context, shards []*fanout.Shard) error {
	work, stop := context.WithCancel(context.WithoutCancel(ctx))
	var loops sync.WaitGroup
	defer func() {
		stop()
		loops.Wait()
	}()
	for _, s := range shards {
		l, err := d.loopOf(s)
		if err != nil {
			return err
		}
		loops.Go(func() { l.run(work) })
	}
	<-ctx.Done()
	d.refuse()
	t := time.NewTimer(d.options.Linger)
	defer t.Stop()
	select {
	case <-d.emptied:
	case <-t.C:
	}
	return nil
}

// Take takes a connection over and gives its subscriber to the session. early
// is what the client has sent already behind its handshake; it is only lent. On
// success nc belongs to the driver, which may have closed it and go on with a
// duplicate. On an error it still belongs to the caller, and the session was not
// called. nc is a *net.TCPConn, or a *tls.Conn on one whose handshake is over.
func (d *Driver) Take(nc net.Conn, early []byte, shard *fanout.Shard, form fanout.Form, s Session) error {
	tcp, ok := below(nc).(*net.TCPConn)
	if !ok {
		return fmt.Errorf("socket: a %T can't be taken over, TCP or TLS on TCP is needed", below(nc))
	}
	if err := d.tune(tcp); err != nil {
		return err
	}
	l, err := d.loopOf(shard)
	if err != nil {
		return err
	}
	d.mu.RLock()
	defer d.mu.RUnlock()
	if d.closed {
		return ErrClosed
	}
	d.live.Add(1)
	if err := l.take(nc, early, form, s); err != nil {
		d.forget()
		return err
	}
	return nil
}

// below returns the connection that TLS is on, or the connection itself.
func below(nc net.Conn) net.Conn {
	if secure, ok := nc.(*tls.Conn); ok {
		return secure.NetConn()
	}
	return nc
}

// loopOf returns the loop of a shard, and makes it first if there is none.
func (d *Driver) loopOf(s *fanout.Shard) (loop, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if l := d.loops[s]; l != nil {
		return l, nil
	}
	if d.closed {
		return nil, ErrClosed
	}
	if !hasEpoll || d.options.Portable {
		d.loops[s] = newPortable(d, s)
		return d.loops[s], nil
	}
	l, err := newEpoll(d, s)
	if err != nil {
		return nil, err
	}
	d.loops[s] = l
	return l, nil
}

// refuse takes no more connections. Those that were being taken are there when
// it returns.
func (d *Driver) refuse() {
	d.mu.Lock()
	d.closed = true
	d.mu.Unlock()
	d.ending.Store(true)
	if d.live.Load() == 0 {
		d.once.Do(func() { close(d.emptied) })
	}
}

// forget counts a connection out. Any goroutine.
func (d *Driver) forget() {
	if d.live.Add(-1) == 0 && d.ending.Load() {
		d.once.Do(func() { close(d.emptied) })
	}
}
