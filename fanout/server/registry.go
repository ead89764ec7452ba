package server

import (
	"sync"

	"github.com/tapecast/tapecast/fanout"
)

// streams are the sessions that are alive, so that a drain can end them all.
type streams struct {
	limit int

	mu     sync.Mutex
	live   map[*session]*fanout.Subscriber // guarded by mu; nil until it was started
	closed bool                            // guarded by mu
	empty  chan struct{}                   // guarded by mu; closed when closed and none is alive
}

// full reports whether another stream would be one too many.
func (r *streams) full() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.live) >= r.limit
}

// enter counts a session in, unless none is taken any more.
func (r *streams) enter(s *session) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed || len(r.live) >= r.limit {
		return false
	}
	if r.live == nil {
		r.live = map[*session]*fanout.Subscriber{}
	}
	r.live[s] = nil
	return true
}

// started notes a session's subscriber, and reports whether it is to end at
// once.
func (r *streams) started(s *session, c *fanout.Subscriber) (closed bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.live[s] = c
	return r.closed
}

func (r *streams) leave(s *session) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.live, s)
	if r.closed && len(r.live) == 0 {
		close(r.empty)
	}
}

// close ends every session and takes no more. The channel that it returns is
// closed when none is left.
func (r *streams) close() <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return r.empty
	}
	r.closed, r.empty = true, make(chan struct{})
	if len(r.live) == 0 {
		close(r.empty)
	}
	for _, c := range r.live {
		if c != nil {
			sayBye(c, "draining")
		}
	}
	return r.empty
}

// end ends the sessions of one engine.
func (r *streams) end(e *engine, code string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for s, c := range r.live {
		if c != nil && s.engine == e {
			sayBye(c, code)
		}
	}
}

// abort cuts every session off that is left, and returns how many there were.
func (r *streams) abort() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range r.live {
		if c != nil {
			c.Gone()
		}
	}
	return len(r.live)
}

// closeRestart is the WebSocket status code of a node that goes away for a
// reason of its own: come back at once.
const closeRestart = 1012

func sayBye(c *fanout.Subscriber, code string) {
	c.Do(func() { c.End(bye(code)) })
}

func bye(code string) fanout.Bye {
	return fanout.Bye{Code: code, Retry: int64(retry()), Close: closeRestart}
}
