package socket

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tapecast/tapecast/fanout"
)

const hasEpoll = true

// epoll is the loop of a shard on Linux. Its sockets are out of Go's netpoller
// and in an epoll instance of the shard's own, which in turn is in Go's
// netpoller: the one goroutine of the shard sleeps there, and does everything
// else. All but wake and take is that goroutine's.
type epoll struct {
	driver *Driver
	shard  *fanout.Shard
	kept   *kept    // connections with TLS; any goroutine
	file   *os.File // the epoll instance
	fd     int      // of file
	raw    syscall.RawConn
	look   func(fd uintptr) bool // poll, made once
	state  atomic.Int32

	cadence cadence
	events  [256]unix.EpollEvent
	n       int // of events that are to be handled

	links      []*link // by slot
	vacant     []int32 // slots
	generation int32   // of the next link
	again      []*link // to be read without waiting for an edge
	reading    []*link // the last again, swapped with it
	patience   patience

	buf      []byte
	parser   *parser // lent to whoever has no message under way
	messages int     // that the link being read may still send in this turn
}

// States of a loop: a wake-up costs more than a word only if it finds the loop
// asleep.
const (
	awake  int32 = iota
	woken        // a pass is wanted
	asleep       // and nothing was wanted before
)

// pollBuffer is the size of a read, in bytes. One is enough for a shard.
const pollBuffer = 16 << 10

var _ loop = (*epoll)(nil)

func newEpoll(d *Driver, s *fanout.Shard) (loop, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("socket: an epoll instance: %w", err)
	}
	if err := unix.SetNonblock(fd, true); err != nil {
		_ = unix.Close(fd)
		return nil, fmt.Errorf("socket: an epoll instance: %w", err)
	}
	l := &epoll{
		driver: d, shard: s, kept: newKept(d, s), fd: fd, file: os.NewFile(uintptr(fd), "epoll"),
		cadence: cadence{most: d.options.Cadence}, patience: patience{span: d.options.Linger},
		buf: make([]byte, pollBuffer),
	}
	if l.raw, err = l.file.SyscallConn(); err != nil {
		_ = l.file.Close()
		return nil, fmt.Errorf("socket: an epoll instance: %w", err)
	}
	l.look = l.poll
	l.state.Store(woken) // by what will have been posted before run
	s.OnWake(l.wake)
	return l, nil
}

// take implements loop: it goes on with a duplicate, so that Go's netpoller and
// the HTTP server forget the connection. One with TLS stays there.
func (l *epoll) take(nc net.Conn, early []byte, form fanout.Form, s Session) error {
	tcp, ok := nc.(*net.TCPConn)
	if !ok {
		return l.kept.take(nc, early, form, s)
	}
	fd, err := duplicate(tcp)
	if err != nil {
		return fmt.Errorf("socket: a duplicate of a connection: %w", err)
	}
	c := &link{loop: l, session: s, fd: fd, frames: form == fanout.Frames}
	c.sub = l.shard.NewSubscriber(c, form, s.End)
	if len(early) > 0 {
		early = append([]byte(nil), early...)
	}
	c.sub.Start(func() { c.start(early) })
	_ = tcp.Close()
	return nil
}

// run implements loop.
func (l *epoll) run(ctx context.Context) {
	defer context.AfterFunc(ctx, l.wake)()
	for ctx.Err() == nil {
		now := time.Now()
		wanted := l.state.Load() == woken
		if !now.Before(l.cadence.due(wanted)) {
			l.state.Store(awake)
			now = l.cadence.pass(l.shard, now)
			wanted = l.state.Load() == woken
		}
		l.wait(now, wanted)
		l.handle()
		l.patience.lose(now)
	}
	l.close()
}

// wait lets events come until the next pass is due: it sleeps if there is
// nothing to do before.
func (l *epoll) wait(now time.Time, wanted bool) {
	until := l.patience.until(l.cadence.due(wanted))
	if len(l.again) > 0 || !until.After(now) {
		l.poll(uintptr(l.fd))
		return
	}
	l.n = 0
	// A deadline is also how wake wakes: within the process, without a system
	// call. One that comes late from a wake before only makes us look twice.
	if err := l.file.SetReadDeadline(until); err != nil {
		l.driver.log.Error("the loop of a shard can't sleep", "error", err)
	}
	// While the shard rests anyway, wake-ups are only noted.
	if !wanted && !l.state.CompareAndSwap(awake, asleep) {
		l.poll(uintptr(l.fd))
		return
	}
	if err := l.raw.Read(l.look); err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
		l.driver.log.Error("the loop of a shard can't wait for its sockets", "error", err)
	}
	l.state.CompareAndSwap(asleep, awake)
}

// wake makes the loop call Pass. Any goroutine; it does not block.
func (l *epoll) wake() {
	if l.state.Load() != woken && l.state.Swap(woken) == asleep {
		_ = l.file.SetReadDeadline(time.Unix(1, 0)) // fails only after the loop's end
	}
}

// poll takes what has happened, and reports whether that was anything. Go's
// netpoller waits if it was not.
func (l *epoll) poll(fd uintptr) bool {
	n, err := unix.EpollWait(int(fd), l.events[:], 0)
	if l.n = n; err != nil {
		l.n = 0
	}
	return l.n > 0
}

// handle reads from the sockets that have something, and tells subscribers of
// room. What follows from that happens in the next pass. Whoever asks for another
// turn gets it next time.
func (l *epoll) handle() {
	l.again, l.reading = l.reading[:0], l.again
	for i := range l.events[:l.n] {
		ev := &l.events[i]
		if c := l.links[ev.Fd]; c != nil && c.generation == ev.Pad {
			c.ready(ev.Events)
		}
	}
	l.n = 0
	for i, c := range l.reading {
		l.reading[i], c.roused = nil, false
		c.receive(true)
	}
}

// add gives a link a slot and waits for its events: all of them, edge-triggered,
// once and for all, so that no call is needed to change that.
func (l *epoll) add(c *link) error {
	if n := len(l.vacant); n > 0 {
		c.slot, l.vacant = l.vacant[n-1], l.vacant[:n-1]
	} else {
		c.slot = int32(len(l.links))
		l.links = append(l.links, nil)
	}
	l.generation++
	c.generation = l.generation
	l.links[c.slot] = c
	return unix.EpollCtl(l.fd, unix.EPOLL_CTL_ADD, int(c.fd), &unix.EpollEvent{
		Events: unix.EPOLLIN | unix.EPOLLOUT | unix.EPOLLRDHUP | unix.EPOLLET,
		Fd:     c.slot, Pad: c.generation,
	})
}

// remove takes a link's slot back. Its events that are still under way have
// another generation than whoever gets the slot next.
func (l *epoll) remove(c *link) {
	l.links[c.slot] = nil
	l.vacant = append(l.vacant, c.slot)
	l.driver.forget()
}

// close cuts off what is left.
func (l *epoll) close() {
	l.shard.OnWake(func() {})
	l.shard.Pass(time.Now()) // starts what was taken last
	for _, c := range l.links {
		if c != nil && c.phase < closing {
			c.sub.Gone()
		}
	}
	l.kept.gone()
	l.shard.Pass(time.Now())
	for _, c := range l.links {
		if c != nil {
			c.release()
		}
	}
	l.kept.wait()
	_ = l.file.Close()
}

// duplicate returns another descriptor of a connection, which is non-blocking as
// the first.
func duplicate(tcp *net.TCPConn) (int32, error) {
	raw, err := tcp.SyscallConn()
	if err != nil {
		return 0, err
	}
	var fd int
	if e := raw.Control(func(old uintptr) { fd, err = unix.FcntlInt(old, unix.F_DUPFD_CLOEXEC, 0) }); e != nil {
		return 0, e
	}
	return int32(fd), err
}
