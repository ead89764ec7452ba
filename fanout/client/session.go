package client

import (
	"context"
	"errors"
	"net/url"
	"time"
)

// session is one connection, or a row of polls, from its start to its end. It
// belongs to the goroutine of Run.
type session struct {
	c         *Client
	base      *url.URL
	handle    func(*Message) error
	transport Transport

	parent context.Context // the caller's
	ctx    context.Context // ends with this connection, its cause says why
	cancel context.CancelCauseFunc
	watch  watch

	resumed    bool          // the node was told where to go on, so it sends what came after that
	ranged     bool          // a message of a range of seqs came
	progress   bool          // anything came that is worth a reconnect at once
	subscribed bool          // the node took the subscription
	start      string        // the cursor that came with it
	tape       string        // the last one for which symbols were asked for again
	retry      time.Duration // the least wait before the next connection, as SSE's retry says
	buf        []byte        // what is being read
	batch      [][]byte      // the messages in it
}

// run carries messages until the connection ends, and says why it did.
func (s *session) run(parent context.Context) error {
	s.parent = parent
	s.ctx, s.cancel = context.WithCancelCause(parent)
	defer s.cancel(errLeft)
	s.transport = s.c.onLeave(func() { s.cancel(errSwitched) })
	s.watch = newWatch(2*s.c.opt.Heartbeat, s.cancel)
	defer s.watch.stop()
	s.resumed = s.c.connect()
	err := s.carry()
	var handler *handlerError
	cause := context.Cause(s.ctx)
	if cause != nil && !errors.Is(cause, errLeft) && !errors.As(err, &handler) {
		return cause
	}
	var garbled *garbledError
	if errors.As(err, &garbled) {
		s.c.count(func(st *Stats) { st.Garbled++ })
	}
	return err
}

func (s *session) carry() error {
	if s.c.symbols == nil {
		if err := s.learn(); err != nil {
			return err
		}
	}
	switch s.transport {
	case WebSocket:
		return s.webSocket()
	case SSE:
		return s.events()
	case LongPoll:
		return s.polls(s.c.opt.PollWait)
	default:
		return s.polls(0)
	}
}

// learn asks the node for its symbols.
func (s *session) learn() error {
	resp, err := s.get("v1/symbols", nil, nil, 0)
	if err != nil {
		return err
	}
	body, err := readBody(nil, resp)
	if err != nil {
		return err
	}
	symbols, err := ParseSymbols(body)
	if err != nil {
		return &garbledError{err}
	}
	s.c.symbols = symbols
	return nil
}

// query returns the parameters of a request that begins where the client stands.
func (s *session) query(poll bool) (q url.Values, cursor string) {
	q = s.c.opt.query(s.c.ask(), poll)
	cursor = s.c.cursor()
	if cursor == "" {
		s.c.opt.places(q)
	}
	return q, cursor
}

// takeAll takes a batch of messages that are complete. Only the caller's ctx
// interrupts it, so that after a switch the cursor behind the batch is exact.
func (s *session) takeAll(batch [][]byte) error {
	for _, raw := range batch {
		if s.parent.Err() != nil {
			return s.parent.Err()
		}
		if err := s.take(raw); err != nil {
			return err
		}
	}
	return nil
}

// connect begins a connection and reports whether it resumes.
func (c *Client) connect() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mark.connection++
	c.wishes.begin()
	return c.mark.cursor != ""
}

func (c *Client) count(f func(*Stats)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f(&c.stats)
}

func (c *Client) cursor() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.mark.cursor
}

func (c *Client) setCursor(cursor string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mark.move(cursor)
}
