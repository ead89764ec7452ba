package server

import (
	"bytes"
	"encoding/json"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/tapecast/tapecast/fanout"
	"github.com/tapecast/tapecast/fanout/wire"
)

// answer is a poll's socket: it collects what the subscriber writes. The shard's
// goroutine fills it, and the handler reads it when done is closed.
type answer struct {
	body    []byte
	aborted bool
	done    chan struct{}
}

// Write implements fanout.Socket.
func (a *answer) Write(p []byte) (int, error) {
	a.body = append(a.body, p...)
	return len(p), nil
}

// Close implements fanout.Socket.
func (a *answer) Close(abort bool) {
	a.aborted = abort
	close(a.done)
}

// pollGrace is how much longer than it was told a subscriber may take to answer.
const pollGrace = 2 * time.Second

// poll answers GET and POST /v1/poll. The handler waits: it is the one kind of
// request that keeps its goroutine.
func (s *Server) poll(c *fiber.Ctx) error {
	if err := checkQuery(c); err != nil {
		return err
	}
	e, err := s.ready()
	if err != nil {
		return err
	}
	q := func(name string) string { return c.Query(name) }
	wait, err := number(q, "wait", 0, 0, maxWait)
	if err != nil {
		return err
	}
	limit, err := number(q, "limit", maxMessages, 1, maxMessages)
	if err != nil {
		return err
	}
	a, err := readPoll(c, q)
	if err != nil {
		return err
	}
	w, err := a.understand()
	if err != nil {
		return err
	}
	if w.pace != (pace{}) {
		return badRequest("max_rate and max_bytes are for streams; a poll is paced by how often you ask, and bounded by limit")
	}
	p, err := e.plan(w, s.options.Limits.Symbols)
	if err != nil {
		return err
	}
	defer s.polls.Add(-1)
	if s.polls.Add(1) > int64(s.options.Limits.Polls) {
		return refuse(fiber.StatusServiceUnavailable, "limit", "%d polls wait here already; try again, or use a stream", s.options.Limits.Polls).after(1)
	}
	body, err := s.collect(e, p, time.Duration(wait)*time.Second, limit, a.Cursor)
	if err != nil {
		return err
	}
	c.Set(fiber.HeaderContentType, fiber.MIMEApplicationJSON)
	c.Set(fiber.HeaderCacheControl, "no-store")
	c.Context().Response.SetBodyRaw(body)
	return nil
}

// readPoll reads what a poll asks for: its query, and the fields of a JSON body
// before that.
func readPoll(c *fiber.Ctx, q query) (*ask, error) {
	a, err := readAsk(q)
	if err != nil || c.Method() != fiber.MethodPost || len(c.Body()) == 0 {
		return a, err
	}
	if err := json.Unmarshal(c.Body(), a); err != nil {
		return nil, badRequest(`the body must be a JSON object as {"symbols":["AAPL"],"cursor":"…","since":{"AAPL":{"trades":1}}}`)
	}
	return a, nil
}

// collect waits for a poll's answer. cursor is where the poll asks to go on.
func (s *Server) collect(e *engine, p *plan, wait time.Duration, limit int, cursor string) ([]byte, error) {
	a := &answer{done: make(chan struct{})}
	sub := e.shard().NewSubscriber(a, fanout.Answer, nil)
	sub.Start(func() {
		sub.Subscribe(&p.request)
		sub.Answer(wait, limit)
	})
	late := time.NewTimer(wait + pollGrace)
	defer late.Stop()
	select {
	case <-a.done:
		if a.aborted {
			return nil, refuse(fiber.StatusServiceUnavailable, "slow", "the answer could not be completed; ask again").after(1)
		}
		return p.prepend(a.body), nil
	case <-s.drained:
	case <-late.C:
	}
	// The node stops: what the subscriber may have is not waited for, the client
	// asks another node for it by the same cursor.
	sub.Gone()
	if cursor == "" || p.reset {
		return nil, refuse(fiber.StatusServiceUnavailable, "draining", "this node is shutting down; go to another one").after(1)
	}
	return append(append([]byte(`{"messages":[],"next":"`), cursor...), `"}`...), nil
}

// prepend puts what is to be said about the plan before an answer's messages.
func (p *plan) prepend(body []byte) []byte {
	const opening = `{"messages":[`
	if (!p.reset && len(p.unknown) == 0) || !bytes.HasPrefix(body, []byte(opening)) {
		return body
	}
	rest := body[len(opening):]
	out := append(make([]byte, 0, len(body)+512), opening...)
	if p.reset {
		out = append(wire.JSON{}.Reset(out, "new_tape"), ',')
	}
	if len(p.unknown) > 0 {
		out = append(unknownSymbols(p.unknown).words("").Append(out), ',')
	}
	if rest[0] == ']' {
		out = out[:len(out)-1]
	}
	return append(out, rest...)
}
