package socket

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// sendto writes what the socket takes at once, without a signal if the client is
// gone; less than all means that it is full.
//
// The call is raw: Go's scheduler is not told of it. It never waits, and on a
// node of one core the telling costs a quarter of a delivery (DESIGN.md), for a
// pass makes thousands of calls on end.
func sendto(fd int32, p []byte) (int, error) {
	for {
		n, _, errno := unix.RawSyscall6(unix.SYS_SENDTO, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)),
			unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL, 0, 0)
		switch errno {
		case 0:
			return int(n), nil
		case unix.EINTR:
		case unix.EAGAIN, unix.ENOBUFS:
			return 0, nil
		default:
			return 0, errno
		}
	}
}
