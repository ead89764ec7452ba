//go:build unix

package socket

import (
	"errors"

	"golang.org/x/sys/unix"
)

const supported = true

// send writes what the socket takes at once; less than all means that it is
// full. Go's sockets are non-blocking, and Go's runtime ignores SIGPIPE on them.
func send(fd uintptr, p []byte) (sent int, err error) {
	for sent < len(p) {
		n, err := unix.Write(int(fd), p[sent:])
		switch {
		case errors.Is(err, unix.EINTR):
		case errors.Is(err, unix.EAGAIN), errors.Is(err, unix.ENOBUFS):
			return sent, nil
		case err != nil:
			return sent, err
		default:
			sent += n
			if sent < len(p) {
				// A short write: the buffer is full, another call would only say so.
				return sent, nil
			}
		}
	}
	return sent, nil
}

// recv reads what is there; again says that there was nothing. 0 bytes are the
// end.
func recv(fd uintptr, p []byte) (n int, again bool, err error) {
	for {
		n, err = unix.Read(int(fd), p)
		switch {
		case errors.Is(err, unix.EINTR):
		case errors.Is(err, unix.EAGAIN):
			return 0, true, nil
		default:
			return max(n, 0), false, err
		}
	}
}

// writable reports whether the socket has room, or has failed.
func writable(fd uintptr) bool {
	p := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}
	n, err := unix.Poll(p, 0)
	return n > 0 || (err != nil && !errors.Is(err, unix.EINTR))
}
