package server

import (
	"time"

	"github.com/tapecast/tapecast/fanout"
	"github.com/tapecast/tapecast/fanout/wire"
)

// session is one stream, over WebSocket or SSE. It implements socket.Session.
type session struct {
	server *Server
	engine *engine
	header []byte // what goes before the first message; nil: nothing
	first  *plan  // the subscription that the address asks for; nil: none
}

// Start implements socket.Session. The subscription is made before the words
// about it, so that their cursor is its place.
func (s *session) Start(c *fanout.Subscriber) {
	if s.header != nil {
		c.SendRaw(s.header)
		s.header = nil
	}
	if s.first != nil {
		s.watch(c, s.first)
	}
	hello := wire.Hello{
		Node: s.server.options.Node, TS: time.Now().UnixNano(),
		Tape: s.engine.hub.Directory().Tape, MaxSymbols: s.server.options.Limits.Symbols,
	}
	c.Send(func(dst []byte, _ string) []byte { return hello.Append(dst) })
	if s.first != nil {
		s.announce(c, "", s.first)
		s.first = nil
	}
	if s.server.streams.started(s, c) {
		c.End(bye("draining"))
	}
}

// End implements socket.Session.
func (s *session) End() { s.server.streams.leave(s) }

// watch adds a plan to what the client gets.
func (s *session) watch(c *fanout.Subscriber, p *plan) {
	c.Subscribe(&p.request)
	c.OnSlow(p.drop)
	if p.pace != (pace{}) {
		c.Limit(p.pace.rate, p.pace.bytes)
	}
}

// announce says what came of a plan.
func (s *session) announce(c *fanout.Subscriber, id string, p *plan) {
	if p.reset {
		c.Send(func(dst []byte, _ string) []byte { return wire.JSON{}.Reset(dst, "new_tape") })
	}
	s.tell(c, "subscribed", id)
	if len(p.unknown) > 0 {
		// The command's one reply was the one before.
		s.say(c, "", unknownSymbols(p.unknown))
	}
}

// tell gives the full list of what the client watches now.
func (s *session) tell(c *fanout.Subscriber, kind, id string) {
	w := c.Watches()
	c.Send(func(dst []byte, cursor string) []byte {
		return wire.Subscription{
			Type: kind, ID: id, Symbols: len(w.Symbols), Channels: channels(w),
			Resolution: c.Resolution(id).String(), Cursor: cursor, Tape: s.engine.hub.Directory().Tape,
		}.Append(dst)
	})
}

func (s *session) say(c *fanout.Subscriber, id string, f *failure) {
	c.Send(func(dst []byte, _ string) []byte { return f.words(id).Append(dst) })
}
