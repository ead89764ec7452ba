package client

import (
	"errors"
	"fmt"
)

// The ids of the commands that a client sends on a WebSocket.
const (
	subscribeID = "subscribe"
	resolveID   = "resolve"
	leaveID     = "leave"
)

// take decodes one message, hands it on if it brings something new and notes
// where the client stands then. An error ends the connection.
func (s *session) take(raw []byte) error {
	c := s.c
	m := &c.msg
	if err := s.decode(m, raw); err != nil {
		return err
	}
	v := s.arrived(m)
	if v == known || v == doubled {
		return nil
	}
	if v == overlap {
		c.opt.Log.WarnContext(s.ctx, "range overlaps what came before", "symbol", m.Symbol,
			"channel", m.Channel.String(), "first", m.First, "seq", m.Seq)
	}
	if err := s.handle(m); err != nil {
		return &handlerError{err}
	}
	s.handled(m)
	return s.consequence(m)
}

// decode decodes a message. If its symbol is not known, or it speaks of another
// tape than the known symbols are of, the node is asked for its symbols again,
// once.
func (s *session) decode(m *Message, raw []byte) error {
	if len(raw) > maxMessage {
		return &garbledError{fmt.Errorf("message: %w of %d bytes", errTooLong, maxMessage)}
	}
	err := Decode(m, raw, s.c.symbols)
	if err == nil && !s.moved(m) {
		return nil
	}
	var unknown *UnknownSymbolError
	if err == nil || errors.As(err, &unknown) {
		if err := s.learn(); err != nil {
			return err
		}
		err = Decode(m, raw, s.c.symbols)
	}
	if err != nil {
		return &garbledError{err}
	}
	return nil
}

// moved reports whether a message is the first one of another tape, whose
// instruments may have other scales.
func (s *session) moved(m *Message) bool {
	if m.Tape == "" || s.c.symbols == nil || m.Tape == s.c.symbols.Tape || m.Tape == s.tape {
		return false
	}
	s.tape = m.Tape
	return true
}

// arrived counts a message and says what it is to the client. One of a type
// that is not known is nothing new.
func (s *session) arrived(m *Message) verdict {
	c := s.c
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stats.Bytes += uint64(len(m.Raw))
	if !s.progress && m.Type != TypeHello && m.Type != TypeBye && m.Type != TypeError {
		s.progress = true
		c.stats.Connects++
	}
	if !m.Type.known() {
		c.stats.Unknown++
		return known
	}
	v := news
	switch {
	case m.Type == TypeSubscribed:
		c.wishes.served(false)
	case m.Type == TypeResolution:
		c.wishes.changed(m)
	case m.Type == TypeError && m.ID == resolveID:
		c.wishes.refused()
	case m.Ranged():
		s.ranged = true
		v = c.mark.judge(m)
	}
	switch v {
	case news:
		c.stats.Messages++
	case overlap:
		c.stats.Messages++
		c.stats.Overlaps++
	case known:
		c.stats.Duplicates++
	case doubled:
		c.stats.Duplicates++
		c.stats.Doubled++
	}
	return v
}

// handled notes where the client stands now that the handler has a message.
func (s *session) handled(m *Message) {
	c := s.c
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mark.took(m)
	if m.Ranged() {
		c.newest.Store(max(c.newest.Load(), m.TS))
	}
	switch m.Type {
	case TypeReset:
		// What came with the subscription is of the new tape only if the reset is the
		// answer to a cursor of the old one.
		cursor := s.start
		if s.ranged {
			cursor = ""
		}
		c.mark.reset(cursor)
		c.newest.Store(0)
		s.resumed, c.symbols = false, nil
	case TypeSubscribed:
		// A resumed stream is not yet where this cursor may be.
		s.start = m.Cursor
		if !s.resumed && m.Cursor != "" {
			c.mark.move(m.Cursor)
		}
	case TypeHeartbeat, TypeAt, TypeUnsubscribed, TypeBye:
		c.newest.Store(max(c.newest.Load(), m.At))
		if m.Cursor != "" {
			c.mark.move(m.Cursor)
		}
	}
}

// consequence does what a message about the stream asks for.
func (s *session) consequence(m *Message) error {
	switch m.Type {
	case TypeHello:
		if m.Heartbeat > 0 {
			s.watch.limit = 2 * m.Heartbeat
		}
	case TypeSubscribed:
		s.subscribed = true
	case TypeUnsubscribed:
		if m.ID == leaveID {
			return errSwitched
		}
	case TypeBye:
		return &byeError{code: m.Code, text: m.Text, retry: m.Retry}
	case TypeError:
		return s.refused(m)
	}
	return nil
}

// refused returns an error if a node refused the subscription as a whole. Where
// only some of the symbols are unknown, the others are served.
func (s *session) refused(m *Message) error {
	if m.ID != subscribeID || s.subscribed {
		return nil
	}
	if m.Code == "unknown_symbol" && len(m.Symbols) < len(s.c.opt.Symbols) {
		return nil
	}
	return &RefusedError{Code: m.Code, Message: m.Text}
}
