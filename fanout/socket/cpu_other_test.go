//go:build !unix

package socket

import (
	"testing"
	"time"
)

// cpu is not known here, nor is the driver supported.
func cpu(t testing.TB) time.Duration {
	t.Skip("not on this system")
	return 0
}
