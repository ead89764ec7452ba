package socket

import "github.com/tapecast/tapecast/fanout"

// turn does what a round of run does besides the pass, without waiting.
func (l *epoll) turn() {
	l.poll(uintptr(l.fd))
	l.handle()
}

// only returns a loop's one socket.
func (l *epoll) only() fanout.Socket {
	if len(l.links) == 0 {
		return l.kept.only()
	}
	return l.links[0]
}
