package socket

import (
	"golang.org/x/sys/unix"
)

// sendBuffer is the default of Options.SendBuffer.
const sendBuffer = 64 << 10

// limit sets the bounds of what waits in the kernel: how much may be unsent if
// that is bounded, and for how long what was sent may be unacknowledged.
func limit(fd, notSent int) error {
	if notSent > 0 {
		if err := unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, notSent); err != nil {
			return err
		}
	}
	return unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(userTimeout.Milliseconds()))
}

// unsent returns how many bytes were not acknowledged by the peer, or -1.
func unsent(fd int) int {
	n, err := unix.IoctlGetInt(fd, unix.SIOCOUTQ)
	if err != nil {
		return -1
	}
	return n
}
