package kafkatest

import "syscall"

// detached keeps a terminal's Ctrl-C away from the broker, and ends it with the
// test process even if that is killed.
func detached() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL}
}
