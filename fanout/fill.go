package fanout

import "time"

// piece is a part of what one Fill produced, and what to take back if the socket
// does not accept it. There is one for each slot of a flush, so it is small.
type piece struct {
	kind     pieceKind
	begun    bool     // whether the flush had a message before it
	skip     int8     // of a shared piece: bytes left out at its beginning
	start    int32    // within the buffer
	flush    int32    // index in the flush, of slots' pieces
	saved    int32    // of a private piece: its join before it, in the shard's
	messages int32    // of a private piece: of the flush, before it
	pos      position // of a shared piece: where it began
}

type pieceKind uint8

const (
	restPiece    pieceKind = iota // the end of a message
	controlPiece                  // whole messages between flushes
	openPiece                     // what comes before a flush's first message
	sharedPiece                   // bytes of a stream
	privatePiece                  // messages made for this client alone
	closePiece                    // what comes after a flush's last message
	byePiece                      // the last message
)

// deliver writes what the socket takes: at most one short write.
func (c *Subscriber) deliver(now time.Time) {
	for !c.gone && !c.blocked {
		buf, finished := c.Fill(c.shard.scratch[:0])
		if c.gone || (len(buf) == 0 && !finished) {
			return
		}
		if len(buf) == 0 {
			c.accepted(true)
			continue
		}
		c.shard.scratch = buf[:0]
		n, err := c.socket.Write(buf)
		if err != nil {
			c.leave(true)
			return
		}
		c.shard.wrote.writes++
		c.shard.wrote.bytes += n
		c.bytes += int32(n)
		if n < len(buf) {
			c.rewind(buf, n)
			c.blocked = true
			if n > 0 || c.stalled == 0 {
				c.stalled = now.UnixNano()
			}
			return
		}
		c.accepted(finished)
	}
}

// Fill appends to buf what the client should get next, up to about the buffer's
// capacity, and reports whether that ends a flush. It must be followed by
// accepted if all of it was sent, else by rewind.
func (c *Subscriber) Fill(buf []byte) (filled []byte, finished bool) {
	c.shard.pieces = c.shard.pieces[:0]
	clear(c.shard.saved)
	c.shard.saved = c.shard.saved[:0]
	if len(c.rest) > 0 {
		c.note(piece{kind: restPiece, start: int32(len(buf))})
		buf = append(buf, c.rest...)
	}
	if c.target == nil {
		c.runCommands()
	}
	if c.target == nil || (!c.opened && !c.begun) {
		if len(c.control) > 0 {
			c.note(piece{kind: controlPiece, start: int32(len(buf))})
			buf = append(buf, c.control...)
		}
	}
	if c.target == nil {
		if c.ending != nil {
			return c.fillBye(buf), false
		}
		if !c.begin() {
			return buf, false
		}
	}
	for c.sent < len(c.flush) {
		var whole bool
		if buf, whole = c.fillSlot(buf); !whole || c.gone {
			return buf, false
		}
		c.sent++
	}
	c.note(piece{kind: closePiece, start: int32(len(buf))})
	return c.closeFlush(buf), true
}

// fillBye appends the last message, once.
func (c *Subscriber) fillBye(buf []byte) []byte {
	if c.said {
		return buf
	}
	c.note(piece{kind: byePiece, start: int32(len(buf))})
	b := *c.ending
	b.Cursor = c.cursor()
	return c.appendBye(buf, b)
}

func (c *Subscriber) note(p piece) { c.shard.pieces = append(c.shard.pieces, p) }

// runCommands runs what waits for a cut. The commands may queue more messages.
func (c *Subscriber) runCommands() {
	if c.trial != nil && c.trial.change != nil {
		c.turn()
	}
	commands := c.commands
	c.commands = nil
	for _, f := range commands {
		if !c.gone && c.ending == nil {
			f()
		}
	}
}

// begin freezes how far the next flush goes. It reports false if there is
// nothing to flush.
func (c *Subscriber) begin() bool {
	if c.wait != nil && !c.wait.over {
		return false
	}
	if c.pace != nil && !c.paces() {
		return false
	}
	at := c.shard.at.cut
	c.flush, c.sent, c.opened, c.begun = c.flush[:0], 0, false, false
	for _, i := range c.dirty {
		s := &c.slots[i]
		s.dirty = false
		switch {
		case s.watch == nil:
		case s.join != nil:
			c.flush = append(c.flush, frozen{slot: i, head: at.pos[s.key.symbol.lane]})
		case s.watch.head > s.pos.at:
			c.flush = append(c.flush, frozen{slot: i, head: s.watch.head})
		}
	}
	c.dirty = c.dirty[:0]
	if len(c.flush) == 0 && c.form != Answer {
		c.reached, c.origin, c.dirtySince = at, nil, 0
		return false
	}
	c.target = at
	c.flushSince, c.dirtySince = c.dirtySince, 0
	return true
}

// fillSlot appends what a slot of the flush has to give and reports whether that
// was all.
func (c *Subscriber) fillSlot(buf []byte) (filled []byte, whole bool) {
	f := c.flush[c.sent]
	s := &c.slots[f.slot]
	if s.watch == nil {
		return buf, true
	}
	if s.join != nil {
		return c.fillPrivate(buf, s, f.head)
	}
	c.messages++
	for s.pos.at < f.head {
		if !s.watch.stream.locate(&s.pos) {
			c.drop(Bye{Code: "slow", Retry: int64(time.Second), Close: 4100})
			return buf, false
		}
		end := s.pos.chunk.boundary(s.pos.at, f.head, cap(buf)-len(buf), len(buf) == 0)
		if end == s.pos.at {
			return buf, false
		}
		buf = c.openFlush(buf)
		p := piece{kind: sharedPiece, start: int32(len(buf)), flush: int32(c.sent), pos: s.pos, begun: c.begun}
		if c.form.framing() == listed && !c.begun {
			p.skip = 1
		}
		c.note(p)
		from := s.pos.at - s.pos.chunk.start
		buf = append(buf, s.pos.chunk.data[from+int64(p.skip):end-s.pos.chunk.start]...)
		s.pos.at = end
		c.begun = true
	}
	return buf, true
}

// openFlush appends what comes before a flush's first message.
func (c *Subscriber) openFlush(buf []byte) []byte {
	if c.opened || c.form.framing() != listed {
		return buf
	}
	c.opened = true
	c.note(piece{kind: openPiece, start: int32(len(buf))})
	if c.form == Events {
		return append(buf, "data: ["...)
	}
	return append(buf, `{"messages":[`...)
}

// closeFlush appends what comes after a flush's last message.
func (c *Subscriber) closeFlush(buf []byte) []byte {
	switch {
	case c.form == Events && c.begun:
		return c.closeEvent(buf, c.targetText())
	case c.form == Answer:
		buf = c.openFlush(buf)
		buf = append(buf, `],"next":"`...)
		buf = append(buf, c.targetText()...)
		return append(buf, `"}`...)
	default:
		return buf
	}
}

// targetText returns the cursor of where the flush under way ends.
func (c *Subscriber) targetText() string {
	origin := c.origin
	c.origin = nil
	text := c.textAt(c.target)
	c.origin = origin
	return text
}

// closeEvent appends the end of an event that is an array: its cursor as the
// last message, and as its id.
func (c *Subscriber) closeEvent(buf []byte, cursor string) []byte {
	buf = append(buf, ',')
	buf = c.shard.hub.options.Encoder.At(buf, cursor)
	buf = append(buf, "]\nid: "...)
	buf = append(buf, cursor...)
	return append(buf, "\n\n"...)
}

// appendBye appends the last message in the client's form.
func (c *Subscriber) appendBye(buf []byte, b Bye) []byte {
	e := c.shard.hub.options.Encoder
	if b.Code == "" && c.form != Frames {
		return buf
	}
	switch c.form {
	case Frames:
		if b.Code != "" {
			buf = appendFramed(buf, framed, e.Bye(nil, b), nil)
		}
		return appendClose(buf, b.Close, b.Code)
	case Event:
		return appendFramed(buf, evented, e.Bye(nil, b), func(dst []byte) []byte { return append(dst, b.Cursor...) })
	case Events:
		buf = append(buf, "data: ["...)
		return c.closeEvent(e.Bye(buf, b), b.Cursor)
	default:
		return buf
	}
}

// accepted takes note that all of the last Fill was sent.
func (c *Subscriber) accepted(finished bool) {
	c.settle(c.shard.pieces)
	c.stalled = 0
	switch {
	case c.ending != nil && c.target == nil:
		c.leave(false)
	case finished:
		c.finish()
	}
}

// settle forgets the queued bytes that were in pieces that are sent.
func (c *Subscriber) settle(sent []piece) {
	for i := range sent {
		switch sent[i].kind {
		case restPiece:
			c.rest = nil
		case controlPiece:
			c.control = nil // rare, and an idle client is to cost little
		case byePiece:
			c.said = true
		case openPiece, sharedPiece, privatePiece, closePiece:
		}
	}
}

// finish ends the flush.
func (c *Subscriber) finish() {
	c.reached, c.target, c.origin, c.flushSince = c.target, nil, nil, 0
	if c.acks != nil {
		c.acks.sent(c)
	}
	if c.pace != nil {
		c.pace.flushed(c)
	}
	c.messages, c.bytes = 0, 0
	if c.form == Answer {
		c.leave(false)
	}
}

// rewind takes back what the socket did not accept of the last Fill: all after
// the first n bytes, but for the rest of the message that was begun, which the
// subscriber keeps and sends first.
func (c *Subscriber) rewind(buf []byte, n int) {
	pieces := c.shard.pieces
	last := len(pieces) - 1
	for last > 0 && int(pieces[last].start) >= n {
		c.undo(&pieces[last])
		last--
	}
	end := len(buf)
	if last+1 < len(pieces) {
		end = int(pieces[last+1].start)
	}
	p := &pieces[last]
	if n == 0 && p.kind != restPiece {
		c.undo(p)
		return
	}
	c.settle(pieces[:last+1])
	c.keepRest(p, buf[n:end], n)
	if p.kind == closePiece {
		c.finish()
	}
}

// keepRest keeps the unsent end of the piece in which the socket stopped after n
// bytes of the buffer.
func (c *Subscriber) keepRest(p *piece, unsent []byte, n int) {
	if p.kind != sharedPiece {
		c.rest = append(c.rest[:0], unsent...)
		return
	}
	s := &c.slots[c.flush[p.flush].slot]
	at := p.pos.at + int64(p.skip) + int64(n-int(p.start))
	end := p.pos.chunk.frameEnd(at)
	c.rest = append(c.rest[:0], unsent[:end-at]...)
	s.pos = position{at: end, chunk: p.pos.chunk}
	c.sent = int(p.flush)
}

// undo takes back a piece of which nothing was sent.
func (c *Subscriber) undo(p *piece) {
	switch p.kind {
	case sharedPiece:
		c.slots[c.flush[p.flush].slot].pos = p.pos
		c.begun, c.sent = p.begun, int(p.flush)
	case privatePiece:
		s := &c.slots[c.flush[p.flush].slot]
		j := c.shard.saved[p.saved]
		s.join = &j
		c.begun, c.sent, c.messages = p.begun, int(p.flush), p.messages
	case openPiece:
		c.opened = false
	case restPiece, controlPiece, closePiece, byePiece:
	}
}
