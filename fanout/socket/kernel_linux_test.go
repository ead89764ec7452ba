package socket

import (
	"fmt"
	"io"
	"net"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// TestKernelQueue tells what send buffer and low-water mark do to clients that
// read nothing, little, and all. The defaults must bound what a stalled client
// costs without holding back one that reads. TAPECAST_FULL=1 tells of other sizes
// too.
func TestKernelQueue(t *testing.T) {
	taken, here, memory := stalled(t, Options{})
	behind, throughput := slow(t, Options{}), fast(t, Options{})
	t.Logf("defaults: reads nothing: %d KiB taken, %d of them here, in %d KiB of memory; %s; %s", taken>>10, here>>10, memory>>10, behind, throughput)
	if memory > 100<<10 {
		t.Errorf("a stalled client costs %d bytes", memory)
	}
	if throughput.rate < 50 {
		t.Error("a client that reads all is held back")
	}
	if !full() {
		return
	}
	for _, o := range []Options{
		{SendBuffer: 16 << 10, NotSentLowat: -1},
		{SendBuffer: 16 << 10},
		{SendBuffer: 32 << 10, NotSentLowat: -1},
		{SendBuffer: 32 << 10},
		{SendBuffer: 64 << 10, NotSentLowat: -1},
		{SendBuffer: 64 << 10, NotSentLowat: 4 << 10},
		{SendBuffer: 64 << 10},
		{SendBuffer: 64 << 10, NotSentLowat: 64 << 10},
		{SendBuffer: 256 << 10, NotSentLowat: -1},
		{SendBuffer: 256 << 10},
		{SendBuffer: 1 << 20, NotSentLowat: -1},
		{SendBuffer: 1 << 20},
	} {
		taken, here, memory := stalled(t, o)
		t.Logf("| %d | %d | %d | %d | %d | %s | %s |", o.SendBuffer>>10, o.NotSentLowat>>10, taken>>10, here>>10, memory>>10, slow(t, o), fast(t, o))
	}
}

// tuned returns both ends of a connection, the server's as a descriptor that a
// driver has tuned.
func tuned(t *testing.T, o Options) (client *net.TCPConn, fd int32) {
	t.Helper()
	d, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	client, server := pair(t)
	if err := d.tune(server); err != nil {
		t.Fatal(err)
	}
	if fd, err = duplicate(server); err != nil {
		t.Fatal(err)
	}
	server.Close()
	t.Cleanup(func() { _ = unix.Close(int(fd)) })
	return client, fd
}

// fill writes until the socket is full.
func fill(t *testing.T, fd int32, msg []byte) (n int) {
	t.Helper()
	for {
		k, err := sendto(fd, msg)
		if err != nil {
			t.Fatal(err)
		}
		if n += k; k < len(msg) {
			return n
		}
	}
}

// stalled writes messages to a client that reads nothing, and returns how many
// bytes the kernel takes, how many of them stay on this side, and in how many
// bytes of memory.
func stalled(t *testing.T, o Options) (taken, here, memory int) {
	t.Helper()
	_, fd := tuned(t, o)
	msg := make([]byte, 98)
	for range 20 { // what is sent makes room
		taken += fill(t, fd, msg)
		time.Sleep(10 * time.Millisecond)
	}
	return taken, unsent(int(fd)), sendMemory(t, fd)
}

// sendMemory returns what a socket's send side takes of the kernel's memory.
func sendMemory(t *testing.T, fd int32) int {
	t.Helper()
	var info [9]uint32 // of SO_MEMINFO; 4 is allocated ahead, 5 is queued
	size := uint32(unsafe.Sizeof(info))
	if _, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(fd), unix.SOL_SOCKET, unix.SO_MEMINFO,
		uintptr(unsafe.Pointer(&info)), uintptr(unsafe.Pointer(&size)), 0); errno != 0 {
		t.Fatal(errno)
	}
	return int(info[4] + info[5])
}

// serve writes messages whenever there is room, for a while.
func serve(t *testing.T, fd int32, msg []byte, d time.Duration, each func(n int)) {
	t.Helper()
	for end := time.Now().Add(d); time.Now().Before(end); {
		p := []unix.PollFd{{Fd: fd, Events: unix.POLLOUT}}
		if n, err := unix.Poll(p, 100); err == nil && n > 0 {
			each(fill(t, fd, msg))
		}
	}
}

// slow writes to a client that reads 200 kB/s.
func slow(t *testing.T, o Options) string {
	t.Helper()
	client, fd := tuned(t, o)
	var read atomic.Int64
	done := make(chan struct{})
	go func() {
		defer close(done)
		ticker := time.NewTicker(20 * time.Millisecond)
		defer ticker.Stop()
		b := make([]byte, 4000)
		for range ticker.C {
			n, err := client.Read(b)
			if read.Add(int64(n)); err != nil {
				return
			}
		}
	}()
	span := time.Second
	if full() {
		span = 4 * time.Second
	}
	var taken, behind, here, turns int
	serve(t, fd, make([]byte, 98), span, func(n int) {
		taken += n
		turns++
		behind += taken - int(read.Load())
		here += unsent(int(fd))
	})
	client.Close()
	<-done
	return fmt.Sprintf("200 kB/s: %d KiB behind, %d of them here, full %.0f times/s", behind/turns>>10, here/turns>>10, float64(turns)/span.Seconds())
}

// fast writes to a client that reads all.
func fast(t *testing.T, o Options) speed {
	t.Helper()
	client, fd := tuned(t, o)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = io.Copy(io.Discard, client)
	}()
	var taken, turns int
	const span = 300 * time.Millisecond
	serve(t, fd, make([]byte, 64<<10), span, func(n int) {
		taken += n
		turns++
	})
	client.Close()
	<-done
	return speed{rate: float64(taken) / span.Seconds() / 1e6, turns: float64(turns) / (float64(taken) / 1e6)}
}

// speed is what a client that reads all gets: MB/s, and how often the socket was
// full on the way, per MB.
type speed struct{ rate, turns float64 }

func (s speed) String() string {
	return fmt.Sprintf("reads all: %.0f MB/s, full %.1f times/MB", s.rate, s.turns)
}
