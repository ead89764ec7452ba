//go:build !linux

package socket

// sendBuffer is the default of Options.SendBuffer: small, for it alone bounds
// what waits in the kernel.
const sendBuffer = 16 << 10

// limit sets nothing: these bounds are Linux's.
func limit(int, int) error { return nil }

// unsent does not know.
func unsent(int) int { return -1 }
