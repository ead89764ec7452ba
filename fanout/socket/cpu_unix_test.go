//go:build unix

package socket

import (
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// cpu returns what the process has spent of its processors' time.
func cpu(t testing.TB) time.Duration {
	t.Helper()
	var r unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &r); err != nil {
		t.Fatal(err)
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}
