//go:build unix && !linux

package kafkatest

import "syscall"

// detached keeps a terminal's Ctrl-C away from the broker.
func detached() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setsid: true} }
