package client

import (
	"context"
	"io"
	"time"
)

// watch ends a connection on which no byte has come for too long. It runs only
// while a read waits, so that a slow handler is not taken for a dead node.
type watch struct {
	timer *time.Timer
	limit time.Duration
}

// newWatch returns a watch that is not running. stop must be called at the end.
func newWatch(limit time.Duration, cancel context.CancelCauseFunc) watch {
	w := watch{timer: time.AfterFunc(limit, func() { cancel(errDead) }), limit: limit}
	w.timer.Stop()
	return w
}

// start gives the other side limit, and extra besides, to send a byte.
func (w *watch) start(extra time.Duration) { w.timer.Reset(w.limit + extra) }

func (w *watch) stop() { w.timer.Stop() }

// watchedReader starts the watch anew for every read.
type watchedReader struct {
	io.ReadCloser
	watch *watch
}

func (r watchedReader) Read(p []byte) (int, error) {
	r.watch.start(0)
	n, err := r.ReadCloser.Read(p)
	r.watch.stop()
	return n, err
}

// watchedSocket is the same for a connection in both directions.
type watchedSocket struct {
	io.ReadWriteCloser
	watch *watch
}

func (s watchedSocket) Read(p []byte) (int, error) {
	s.watch.start(0)
	n, err := s.ReadWriteCloser.Read(p)
	s.watch.stop()
	return n, err
}
