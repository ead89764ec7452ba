package bench

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

const (
	bufferSize = 1 << 20
	maxEvents  = 1024
	// rampWidth is how many handshakes are under way at once.
	rampWidth = 128
	// patience is how long clients may go on connecting without one of them
	// getting any further.
	patience = 20 * time.Second
)

// supported says why there are no generators on this system: here there are.
func supported() error { return nil }

// loop runs all clients in one goroutine. The sockets are non-blocking and the
// loop waits for all of them at once. It owns everything in it.
type loop struct {
	*reader
	meter   meter
	ep      int
	conns   []conn
	buf     []byte
	events  []unix.EpollEvent
	sources []netip.Addr
	slow    rota // clients that read slowly
	cut     rota // clients that reconnect
	resting []rest
	steady  []int

	dialed, ready, underway int
	lost, resumed           int
	why                     map[string]int // why connections were lost
	last, first             sample
	before, connected       usage // of the server: before there were clients, and with all of them
	progress                struct {
		phase     string
		at        time.Time
		delivered uint64
	}
	ending  error
	refused error // why a client could not come in the first place
}

// rest is a client that polls again later.
type rest struct {
	id int32
	at time.Time
}

// newLoop looks at the machine's limits and raises what it may.
func newLoop(r *reader, m meter) (*loop, error) {
	o := r.target.options
	limits, err := raiseLimits(m.pid)
	if err != nil {
		return nil, err
	}
	if err := limits.check(o.Clients); err != nil {
		return nil, err
	}
	l := &loop{reader: r, meter: m, conns: make([]conn, o.Clients), buf: make([]byte, bufferSize), events: make([]unix.EpollEvent, maxEvents), why: map[string]int{}}
	if l.sources, err = limits.sources(o.Clients, r.target.addr.Addr()); err != nil {
		return nil, err
	}
	for i := range l.conns {
		l.conns[i] = conn{id: int32(i), fd: -1}
	}
	l.slow.every, l.cut.every = slowTurn, o.ReconnectEvery
	if l.ep, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return nil, fmt.Errorf("epoll: %w", err)
	}
	return l, nil
}

// close hangs up, without leaving ports to rest for a minute each.
func (l *loop) close() {
	for i := range l.conns {
		l.hangUp(&l.conns[i])
	}
	_ = unix.Close(l.ep)
}

// run connects, warms up and measures.
func (l *loop) run(ctx context.Context) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	o := l.target.options
	if l.meter.known() {
		if l.before = l.meter.read(ctx); l.before.err != nil {
			return l.before.err
		}
	}
	if err := l.connectAll(ctx); err != nil {
		return err
	}
	all := l.note(ctx)
	l.cut.begin, l.slow.begin = all.at, all.at
	if err := l.until(ctx, "warming up", all.at.Add(o.Warmup)); err != nil {
		return err
	}
	l.first = l.note(ctx)
	l.measuring = true
	err := l.until(ctx, "measuring", l.first.at.Add(o.Duration))
	l.measuring = false
	l.last = l.note(ctx)
	if l.meter.known() {
		l.connected = <-all.usage
	}
	return err
}

// note notes where things stand. The server is asked in the background: its
// answer has its own time.
func (l *loop) note(ctx context.Context) sample {
	s := sample{at: time.Now(), own: ownCPU(), heads: append([]uint64(nil), l.heads...)}
	if l.meter.known() {
		c := make(chan usage, 1)
		s.usage = c
		go func() { c <- l.meter.read(ctx) }()
	}
	return s
}

// connectAll brings every client to where it gets messages. That a server takes
// one and then lets it go, because it has too much to do, is a finding; that it
// does not take one is a failure.
func (l *loop) connectAll(ctx context.Context) error {
	moved, at := 0, time.Now()
	for l.ready+l.lost < len(l.conns) {
		for l.underway < rampWidth && l.dialed < len(l.conns) {
			if err := l.dial(&l.conns[l.dialed]); err != nil {
				return err
			}
			l.dialed++
		}
		if err := l.turn(ctx, 100*time.Millisecond); err != nil {
			return err
		}
		if l.refused != nil {
			return fmt.Errorf("a client could not connect and subscribe (%d of %d could): %w", l.ready, len(l.conns), l.refused)
		}
		now := time.Now()
		if l.ready != moved {
			moved, at = l.ready, now
		} else if now.Sub(at) > patience {
			return fmt.Errorf("%d of %d clients are connected and subscribed, and no more have been for %v", l.ready, len(l.conns), patience)
		}
		l.tell("connecting", now, now)
	}
	return nil
}

// until runs the clients until a time.
func (l *loop) until(ctx context.Context, phase string, end time.Time) error {
	for {
		now := time.Now()
		left := end.Sub(now)
		if left <= 0 {
			return nil
		}
		l.visit(now)
		l.tell(phase, now, end)
		if err := l.turn(ctx, min(left, l.pause())); err != nil {
			return err
		}
		if l.ready == 0 && l.underway == 0 {
			return fmt.Errorf("all clients were lost; the last: %w", l.ending)
		}
	}
}

// pause is how long the loop may wait for sockets when nothing else is due.
func (l *loop) pause() time.Duration {
	if len(l.slow.clients)+len(l.cut.clients)+len(l.resting) > 0 {
		return 5 * time.Millisecond
	}
	return 100 * time.Millisecond
}

// visit does what is due by time.
func (l *loop) visit(now time.Time) {
	for i := range l.slow.due(now) {
		c := &l.conns[l.slow.clients[(l.slow.done-1-i)%len(l.slow.clients)]]
		if c.phase == streaming {
			l.receive(c, max(1, l.target.options.SlowRate*int(slowTurn)/int(time.Second)))
		}
	}
	for i := range l.cut.due(now) {
		c := &l.conns[l.cut.clients[(l.cut.done-1-i)%len(l.cut.clients)]]
		if c.phase == streaming || c.phase == away {
			l.reconnect(c)
		}
	}
	for len(l.resting) > 0 && !now.Before(l.resting[0].at) {
		l.poll(&l.conns[l.resting[0].id])
		l.resting = l.resting[1:]
	}
}

// tell reports progress when a phase begins, and about once a second.
func (l *loop) tell(phase string, now, end time.Time) {
	report, p := l.target.options.Progress, &l.progress
	span := now.Sub(p.at)
	if report == nil || span < time.Second && phase == p.phase {
		return
	}
	rate := float64(l.delivered-p.delivered) / span.Seconds()
	if p.at.IsZero() {
		rate = 0
	}
	p.phase, p.at, p.delivered = phase, now, l.delivered
	report(Progress{Phase: phase, Ready: l.ready, Clients: len(l.conns), Left: end.Sub(now), Rate: rate, Lost: l.lost})
}

// turn waits for sockets and serves those that have something.
func (l *loop) turn(ctx context.Context, wait time.Duration) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	n, err := unix.EpollWait(l.ep, l.events, int((wait+time.Millisecond-1)/time.Millisecond))
	if err != nil && !errors.Is(err, unix.EINTR) {
		return fmt.Errorf("epoll: %w", err)
	}
	for i := range max(n, 0) {
		e := &l.events[i]
		// An event may be of a connection that has been closed in this turn.
		if c := &l.conns[e.Fd]; c.fd == e.Pad {
			l.serve(c, e.Events)
		}
	}
	return nil
}

// serve does what a socket is ready for.
func (l *loop) serve(c *conn, ready uint32) {
	if c.phase == connecting && ready&(unix.EPOLLOUT|unix.EPOLLERR|unix.EPOLLHUP) != 0 {
		l.greet(c)
		return
	}
	if ready&unix.EPOLLOUT != 0 && !l.flush(c) {
		return
	}
	if ready&(unix.EPOLLIN|unix.EPOLLRDHUP|unix.EPOLLERR|unix.EPOLLHUP) == 0 {
		return
	}
	if c.phase == streaming && (c.sort == slow || c.sort == stalled) {
		l.lose(c, errors.New("cut off by the server while it read slowly or not at all"))
		return
	}
	for l.receive(c, len(l.buf)) {
		if c.phase == streaming && (c.sort == slow || c.sort == stalled) {
			return // it begins to be so
		}
	}
}

// receive reads once, at most limit bytes, and does all that they bring about. It
// reports whether there may be more; if not, there will be another event.
func (l *loop) receive(c *conn, limit int) bool {
	kept := copy(l.buf, c.tail)
	room := l.buf[kept:min(len(l.buf), kept+limit)]
	n, err := unix.Read(int(c.fd), room)
	switch {
	case errors.Is(err, unix.EAGAIN):
		return false
	case errors.Is(err, unix.EINTR):
		return true
	case err != nil:
		l.lose(c, err)
		return false
	case n == 0:
		l.lose(c, errors.New("closed by the server without a word"))
		return false
	}
	was, b := c.phase, l.buf[:kept+n]
	used, err := l.take(c, b, time.Now().UnixMicro())
	if err != nil {
		l.lose(c, err)
		return false
	}
	l.keep(c, b[used:])
	if len(c.out) > 0 && !l.flush(c) {
		return false
	}
	l.after(c, was, used)
	return n == len(room)
}

// keep keeps what could not be read yet. The buffer grows with the largest.
func (l *loop) keep(c *conn, rest []byte) {
	c.tail = append(c.tail[:0], rest...)
	if len(rest) == 0 && cap(c.tail) > 4096 {
		c.tail = nil
	}
	if len(rest) > len(l.buf)/2 && len(l.buf) < maxTail {
		l.buf = make([]byte, 2*len(l.buf))
	} else if len(rest) == len(l.buf) {
		l.lose(c, fmt.Errorf("the server sent %d bytes without an end", len(rest)))
	}
}

// after sees to what has changed by a read.
func (l *loop) after(c *conn, was phase, used int) {
	if was != streaming && c.phase == streaming {
		l.arrived(c)
	}
	if l.target.form == polls && c.phase == streaming && used > 0 {
		if l.target.wait > 0 {
			l.poll(c)
		} else {
			l.resting = append(l.resting, rest{c.id, time.Now().Add(l.target.options.PollEvery)})
		}
	}
}

// arrived counts a client that gets messages from now on.
func (l *loop) arrived(c *conn) {
	l.ready++
	l.underway--
	if c.again {
		l.resumed++
	}
	c.again = true
	if c.sort == slow || c.sort == stalled {
		l.listen(c, unix.EPOLLRDHUP)
	}
}

// poll asks again.
func (l *loop) poll(c *conn) {
	if c.phase == streaming {
		c.out = append(c.out, l.target.request(l.watched(c), c.cursor)...)
		l.flush(c)
	}
}
