package server

import (
	"net"
	"strconv"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/tapecast/tapecast/fanout"
	"github.com/tapecast/tapecast/fanout/wire"
)

// reconnectTime is how long an EventSource waits before it comes back, if no
// bye says otherwise.
const reconnectTime = time.Second

// events answers GET /v1/events: server-sent events. The connection is taken
// over as it is, without chunks: its end is the end of the answer.
func (s *Server) events(c *fiber.Ctx) error {
	if err := checkQuery(c); err != nil {
		return err
	}
	if s.stopping() {
		return s.eventsBye(c)
	}
	e, err := s.admit()
	if err != nil {
		return err
	}
	cursor := c.Get("Last-Event-ID")
	if cursor == "" {
		cursor = c.Query("cursor")
	}
	p, err := s.planOf(e, c, cursor)
	if err != nil {
		return err
	}
	s.eventHeaders(c)
	h := &c.Context().Response.Header
	h.SetContentLength(-2) // unknown, and no chunks: the connection's end is the end
	h.Del(fiber.HeaderTransferEncoding)
	h.SetConnectionClose()
	ses := &session{server: s, engine: e, first: p, header: appendRetry(append([]byte(nil), h.Header()...), reconnectTime)}
	c.Context().HijackSetNoResponse(true)
	c.Context().Hijack(func(nc net.Conn) { s.handOver(ses, below(nc), nil, p.eventForm()) })
	return nil
}

func (s *Server) eventHeaders(c *fiber.Ctx) {
	c.Set(fiber.HeaderContentType, "text/event-stream; charset=utf-8")
	c.Set(fiber.HeaderCacheControl, "no-store")
	c.Set("X-Accel-Buffering", "no")
}

// appendRetry appends the line that tells EventSource when to come back.
func appendRetry(dst []byte, d time.Duration) []byte {
	dst = append(dst, "retry: "...)
	dst = strconv.AppendInt(dst, d.Milliseconds(), 10)
	return append(dst, "\n\n"...)
}

// eventForm returns how events are to be made of a plan: one per message only
// if all messages come from one stream, whose order gives each its id.
func (p *plan) eventForm() fanout.Form {
	streams := len(p.request.Bars)
	if p.set != 0 {
		streams++
	}
	if len(p.symbols) == 1 && streams == 1 {
		return fanout.Event
	}
	return fanout.Events
}

// eventsBye answers while the node drains: an error status would make
// EventSource give up, so it gets a stream that says good-bye.
func (s *Server) eventsBye(c *fiber.Ctx) error {
	b := bye("draining")
	b.Cursor = c.Get("Last-Event-ID")
	if b.Cursor == "" {
		b.Cursor = c.Query("cursor")
	}
	if _, err := fanout.ParseCursor(b.Cursor); err != nil {
		b.Cursor = ""
	}
	body := appendRetry(nil, time.Duration(b.Retry))
	body = append(body, "data: "...)
	body = wire.JSON{}.Bye(body, b)
	if b.Cursor != "" {
		body = append(append(body, "\nid: "...), b.Cursor...)
	}
	s.eventHeaders(c)
	c.Context().SetConnectionClose()
	return c.Send(append(body, "\n\n"...))
}
