package bench

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// smallBuffer is the receive buffer of clients that read slowly or not at all:
// what the kernel takes for them would hide that they do.
const smallBuffer = 4096

// dial begins to connect a client. Its request is sent when that is done.
func (l *loop) dial(c *conn) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("opening a socket for client %d: %w", c.id, err)
	}
	c.fd, c.phase, c.inside, c.tail, c.out = int32(fd), connecting, false, nil, nil
	l.underway++
	if err := l.prepare(fd, c); err != nil {
		return fmt.Errorf("client %d: %w", c.id, err)
	}
	to := l.target.addr
	err = unix.Connect(fd, &unix.SockaddrInet4{Addr: to.Addr().As4(), Port: int(to.Port())})
	switch {
	case errors.Is(err, unix.EADDRNOTAVAIL):
		return fmt.Errorf("client %d finds no free port to connect from: others use them, or rest from earlier runs; wait a minute, or widen net.ipv4.ip_local_port_range", c.id)
	case err != nil && !errors.Is(err, unix.EINPROGRESS):
		return fmt.Errorf("connecting to %s: %w: is the server running there?", to, err)
	}
	// An event comes once for what arrives, so the loop reads until there is no
	// more; the kernel then does not look at each socket again every time.
	c.watch = unix.EPOLLIN | unix.EPOLLOUT | unix.EPOLLRDHUP | unix.EPOLLET
	e := unix.EpollEvent{Events: c.watch, Fd: c.id, Pad: c.fd}
	if err := unix.EpollCtl(l.ep, unix.EPOLL_CTL_ADD, fd, &e); err != nil {
		return fmt.Errorf("epoll: %w", err)
	}
	return nil
}

func (l *loop) prepare(fd int, c *conn) error {
	if c.sort == slow || c.sort == stalled {
		if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, smallBuffer); err != nil {
			return err
		}
	}
	if err := unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1); err != nil {
		return err
	}
	if len(l.sources) == 0 {
		return nil
	}
	// The kernel chooses the port when it knows the other end, so that an address
	// can have all its ports for it.
	if err := unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1); err != nil {
		return err
	}
	return unix.Bind(fd, &unix.SockaddrInet4{Addr: l.sources[int(c.id)%len(l.sources)].As4()})
}

// greet sends the request of a connection that has come about.
func (l *loop) greet(c *conn) {
	code, err := unix.GetsockoptInt(int(c.fd), unix.SOL_SOCKET, unix.SO_ERROR)
	if err == nil && code != 0 {
		err = fmt.Errorf("connecting to %s: %w: is the server running there?", l.target.addr, unix.Errno(code))
	}
	if err != nil {
		l.lose(c, err)
		return
	}
	c.phase = greeting
	symbols := l.watched(c)
	if c.cursor == "" {
		for slot := range symbols {
			clear(l.tile(c, slot)) // it begins anew
		}
	}
	c.out = l.target.request(symbols, c.cursor)
	if !l.flush(c) {
		return
	}
	l.listen(c, c.watch&^unix.EPOLLOUT)
	if l.target.bare {
		c.phase = streaming
		l.arrived(c)
	}
}

// flush sends what is to be sent, and reports whether the connection still is.
func (l *loop) flush(c *conn) bool {
	n, err := unix.Write(int(c.fd), c.out)
	if err != nil && !errors.Is(err, unix.EAGAIN) && !errors.Is(err, unix.EINTR) {
		l.lose(c, err)
		return false
	}
	c.out = c.out[max(n, 0):]
	if len(c.out) > 0 {
		l.listen(c, c.watch|unix.EPOLLOUT)
		return true
	}
	c.out = nil
	l.listen(c, c.watch&^unix.EPOLLOUT)
	return true
}

// listen changes what the loop hears of a socket.
func (l *loop) listen(c *conn, events uint32) {
	if c.watch == events {
		return
	}
	c.watch = events
	e := unix.EpollEvent{Events: events, Fd: c.id, Pad: c.fd}
	if err := unix.EpollCtl(l.ep, unix.EPOLL_CTL_MOD, int(c.fd), &e); err != nil {
		l.lose(c, err)
	}
}

// lose takes note of a connection that has ended by itself.
func (l *loop) lose(c *conn, why error) {
	if c.fd < 0 {
		return
	}
	l.lost++
	if l.ending = why; c.phase != streaming && !c.again {
		l.refused = why
	}
	if text := why.Error(); len(l.why) < 20 || l.why[text] > 0 {
		l.why[text]++
	}
	l.hangUp(c)
}

// hangUp ends a connection with a reset: nothing of it stays in the kernel.
func (l *loop) hangUp(c *conn) {
	if c.fd < 0 {
		return
	}
	// If that can't be set, the end is an ordinary one.
	_ = unix.SetsockoptLinger(int(c.fd), unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
	_ = unix.Close(int(c.fd))
	if c.phase == streaming {
		l.ready--
	} else {
		l.underway--
	}
	c.fd, c.phase, c.tail, c.out = -1, away, nil, nil
}

// reconnect cuts a client's connection and begins another, which resumes.
func (l *loop) reconnect(c *conn) {
	l.hangUp(c)
	if err := l.dial(c); err != nil {
		l.lose(c, err)
	}
}

// raiseLimits raises the number of open files to what is allowed, and reads what
// there is. pid is the server's process, 0 if not known.
func raiseLimits(pid int) (*limits, error) {
	var r unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &r); err != nil {
		return nil, fmt.Errorf("reading the limit of open files: %w", err)
	}
	if r.Cur < r.Max {
		raised := unix.Rlimit{Cur: r.Max, Max: r.Max}
		if unix.Setrlimit(unix.RLIMIT_NOFILE, &raised) == nil {
			r = raised
		}
	}
	l := &limits{files: r.Cur}
	if pid != 0 {
		var of unix.Rlimit
		if unix.Prlimit(pid, unix.RLIMIT_NOFILE, nil, &of) == nil {
			l.filesOf = of.Cur
		}
	}
	var err error
	l.first, l.last, err = portRange()
	return l, err
}

func portRange() (first, last int, err error) {
	const file = "/proc/sys/net/ipv4/ip_local_port_range"
	raw, err := os.ReadFile(file)
	if err != nil {
		return 0, 0, err
	}
	fields := strings.Fields(string(raw))
	if len(fields) != 2 {
		return 0, 0, fmt.Errorf("%s: %q is no range of ports", file, raw)
	}
	first, err1 := strconv.Atoi(fields[0])
	last, err2 := strconv.Atoi(fields[1])
	return first, last, errors.Join(err1, err2)
}

// ownCPU returns the CPU time that this process has used, s.
func ownCPU() float64 {
	var r unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &r) != nil {
		return 0
	}
	return float64(r.Utime.Nano()+r.Stime.Nano()) / 1e9
}
