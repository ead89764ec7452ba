package server

import (
	"encoding/json"
	"errors"

	"github.com/tapecast/tapecast/charts"
	"github.com/tapecast/tapecast/fanout"
	"github.com/tapecast/tapecast/fanout/wire"
)

// command is what a WebSocket client sends.
type command struct {
	Op string `json:"op"`
	ID string `json:"id"`
	TS int64  `json:"ts"` // of an ack: of the newest message that was taken in, µs UTC
	ask
}

// readCommand reads a command. Of one that is wrong it returns what could be
// read of its id, so that the refusal can carry it.
func readCommand(msg []byte) (*command, *failure) {
	cmd := &command{}
	if err := json.Unmarshal(msg, cmd); err != nil {
		var only struct{ ID any }
		_ = json.Unmarshal(msg, &only) // it may not be JSON at all
		id, _ := only.ID.(string)
		if len(id) > maxID {
			id = ""
		}
		return &command{ID: id}, badCommand(err)
	}
	if len(cmd.ID) > maxID {
		return &command{}, badRequest("the id is longer than %d bytes", maxID)
	}
	return cmd, nil
}

func badCommand(err error) *failure {
	var field *json.UnmarshalTypeError
	if errors.As(err, &field) && field.Field != "" {
		return badRequest("field %s can't be a JSON %s", clip(field.Field), field.Value)
	}
	return badRequest(`a command is a JSON object as {"op":"subscribe","symbols":["AAPL"]}`)
}

// Text implements socket.Session: it carries out one command.
func (s *session) Text(c *fanout.Subscriber, msg []byte) func() {
	cmd, f := readCommand(msg)
	if f != nil {
		return func() { s.say(c, cmd.ID, f) }
	}
	switch cmd.Op {
	case "subscribe":
		return s.subscribe(c, cmd)
	case "unsubscribe":
		return s.unsubscribe(c, cmd)
	case "resolution":
		return s.resolution(c, cmd)
	case "ping":
		return func() {
			c.Send(func(dst []byte, cursor string) []byte {
				return wire.Ack{Type: "pong", ID: cmd.ID, Cursor: cursor}.Append(dst)
			})
		}
	case "auth":
		return func() {
			c.Send(func(dst []byte, _ string) []byte { return wire.Ack{Type: "authenticated", ID: cmd.ID}.Append(dst) })
		}
	case "ack":
		return func() { c.Ack(cmd.TS) }
	case "pause", "resume", "seek", "speed":
		return s.no(c, cmd, unsupported("op %s belongs to replays, which are not available in this version", cmd.Op))
	default:
		return s.no(c, cmd, badRequest("op %q must be one of subscribe, unsubscribe, resolution, ack, auth, ping", clip(cmd.Op)))
	}
}

// no replies to a command with an error.
func (s *session) no(c *fanout.Subscriber, cmd *command, err error) func() {
	return func() { s.say(c, cmd.ID, understand(err)) }
}

func (s *session) subscribe(c *fanout.Subscriber, cmd *command) func() {
	w, err := cmd.understand()
	if err != nil {
		return s.no(c, cmd, err)
	}
	limit := s.server.options.Limits.Symbols
	p, err := s.engine.plan(w, limit)
	if err != nil {
		return s.no(c, cmd, err)
	}
	p.request.Group.ID, p.request.Group.Priority = cmd.ID, cmd.Priority
	return func() {
		if !c.Room(cmd.ID) {
			s.say(c, cmd.ID, tooManyGroups())
			return
		}
		if n := count(c.Watches(), p); n > limit {
			s.say(c, cmd.ID, tooMany(n, limit))
			return
		}
		s.watch(c, p)
		s.announce(c, cmd.ID, p)
	}
}

// unsubscribe ends channels of symbols, or all their channels if none is named.
func (s *session) unsubscribe(c *fanout.Subscriber, cmd *command) func() {
	w := &want{set: fanout.Both, bars: charts.Intervals()}
	if err := w.takeSymbols(cmd.Symbols); err != nil {
		return s.no(c, cmd, err)
	}
	if len(cmd.Channels) > 0 {
		w.set, w.bars = 0, nil
		if err := w.takeChannels(cmd.Channels); err != nil {
			return s.no(c, cmd, err)
		}
	}
	return func() {
		c.Unsubscribe(s.named(c, w), w.set, w.bars)
		s.tell(c, "unsubscribed", cmd.ID)
	}
}

// named returns the symbols that an unsubscribe is about. Those that are not
// watched don't matter.
func (s *session) named(c *fanout.Subscriber, w *want) []*fanout.Symbol {
	var symbols []*fanout.Symbol
	if w.all {
		for sym := range c.Watches().Symbols {
			symbols = append(symbols, sym)
		}
		return symbols
	}
	d := s.engine.hub.Directory()
	for _, name := range w.names {
		if sym := d.Lookup(name); sym != nil {
			symbols = append(symbols, sym)
		}
	}
	return symbols
}

// resolution changes the resolution of a group, or of all, and how much the client
// gets at the most.
func (s *session) resolution(c *fanout.Subscriber, cmd *command) func() {
	w := &want{}
	if err := w.takeResolution(&cmd.ask); err != nil {
		return s.no(c, cmd, err)
	}
	if cmd.Resolution == "" && w.pace == (pace{}) {
		return s.no(c, cmd, badRequest("resolution is missing; it must be raw, 100ms, 250ms, 1s or 5s"))
	}
	return func() {
		if err := w.pace.check(len(c.Watches().Symbols)); err != nil {
			s.say(c, cmd.ID, understand(err))
			return
		}
		level := w.resolution
		if cmd.Resolution == "" {
			level = c.Resolution(cmd.ID)
		}
		c.Limit(w.pace.rate, w.pace.bytes)
		c.Resolve(cmd.ID, level)
	}
}

func tooManyGroups() *failure {
	return badRequest("there are %d subscriptions with an id of their own already; use one of their ids, or unsubscribe one", fanout.MaxGroups)
}
