package server

import (
	"errors"
	"io"
	"net"
	"slices"
	"time"

	"github.com/gofiber/contrib/websocket"
	"github.com/gofiber/fiber/v2"

	"github.com/tapecast/tapecast/fanout"
)

// stream answers GET /v1/stream: a WebSocket. The framework makes the handshake,
// then the socket driver takes the connection.
func (s *Server) stream(c *fiber.Ctx) error {
	if !websocket.IsWebSocketUpgrade(c) {
		return fiber.ErrUpgradeRequired
	}
	if err := s.checkOrigin(c); err != nil {
		return err
	}
	e, err := s.admit()
	if err != nil {
		return err
	}
	ses := &session{server: s, engine: e}
	if err := checkQuery(c); err != nil {
		return err
	}
	if asked(c) {
		if ses.first, err = s.planOf(e, c, c.Query("cursor")); err != nil {
			return err
		}
	}
	upgrade := websocket.New(func(ws *websocket.Conn) {
		nc := below(ws.UnderlyingConn())
		s.handOver(ses, nc, pipelined(ws.UnderlyingConn()), fanout.Frames)
	}, websocket.Config{ReadBufferSize: 512, WriteBufferSize: 512, RecoverHandler: s.recovered})
	return upgrade(c)
}

// recovered keeps the process alive if a takeover panics.
func (s *Server) recovered(ws *websocket.Conn) {
	if r := recover(); r != nil {
		s.log.Error("a WebSocket could not be taken over", "panic", r)
		_ = below(ws.UnderlyingConn()).Close()
	}
}

// admit returns what to serve a new stream from, or why it can't be taken.
func (s *Server) admit() (*engine, error) {
	e, err := s.ready()
	if err != nil {
		return nil, err
	}
	if s.streams.full() {
		return nil, s.crowded()
	}
	return e, nil
}

func (s *Server) crowded() error {
	return refuse(fiber.StatusServiceUnavailable, "limit", "this node has its %d streams; try another node, or again later", s.options.Limits.Streams).after(5)
}

// asked reports whether an address has any parameter of a subscription.
func asked(c *fiber.Ctx) bool {
	args := c.Context().QueryArgs()
	return slices.ContainsFunc(parameters(), args.Has)
}

func checkQuery(c *fiber.Ctx) error {
	if len(c.Context().QueryArgs().QueryString()) > maxQuery {
		return refuse(fiber.StatusRequestURITooLong, "too_large", "the query is longer than %d bytes; name fewer symbols, or use symbols=* or commands", maxQuery)
	}
	return nil
}

// planOf reads the parameters of a request; cursor may have come another way.
func (s *Server) planOf(e *engine, c *fiber.Ctx, cursor string) (*plan, error) {
	a, err := readAsk(func(name string) string { return c.Query(name) })
	if err != nil {
		return nil, err
	}
	if a.Cursor = cursor; cursor != c.Query("cursor") {
		a.Start = "" // the client is beyond its start
	}
	w, err := a.understand()
	if err != nil {
		return nil, err
	}
	return e.plan(w, s.options.Limits.Symbols)
}

// handOver gives a connection to the driver.
func (s *Server) handOver(ses *session, nc net.Conn, early []byte, form fanout.Form) {
	if !s.streams.enter(ses) {
		_ = nc.Close()
		return
	}
	if err := ses.engine.driver.Take(nc, early, ses.engine.shard(), form, ses); err != nil {
		s.streams.leave(ses)
		s.log.Warn("a connection could not be taken over", "error", err)
		_ = nc.Close()
	}
}

// below returns the connection under those of the framework.
func below(c net.Conn) net.Conn {
	if h, ok := c.(interface{ UnsafeConn() net.Conn }); ok {
		return h.UnsafeConn()
	}
	return c
}

// pipelined returns what the framework has read beyond the handshake.
func pipelined(c net.Conn) []byte {
	// A deadline in the past lets reads return what is buffered and no more.
	_ = c.SetReadDeadline(time.Unix(1, 0))
	defer func() { _ = c.SetReadDeadline(time.Time{}) }()
	var early []byte
	buf := make([]byte, 512)
	for {
		n, err := c.Read(buf)
		early = append(early, buf[:n]...)
		if err != nil || (n == 0 && !errors.Is(err, io.EOF)) {
			return early
		}
	}
}
