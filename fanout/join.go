package fanout

import (
	"github.com/tapecast/tapecast/feed"
)

// join is the state of a slot that is served privately: from a lane offset, out
// of the ring, until the shared stream has all that comes after.
type join struct {
	from     int64   // the next lane offset
	since    Since   // what the client has already
	place    *Cursor // where the client is, if that is still to be made an offset
	upTo     int64   // the lane offset before which it has all but quotes
	snapshot *State
	begun    bool // the open bar was looked at
	fresh    bool // the client has nothing yet
	ahead    bool // from lies within what the stream sends next
	unsure   bool // something before from may be missing and can't be had
	left     int  // entries to merge though the level does not; everything: all
}

// joinAt returns a join that goes on at an edge.
func joinAt(e edge) join {
	return join{from: e.from, since: Since{Seq: e.had}, unsure: e.unsure}
}

// everything makes a join merge all that it sends.
const everything = -1

// privateRoom is how much of the buffer must be left to begin another private
// message, in bytes.
const privateRoom = 2 << 10

// privatePieceSize is about how many private bytes are taken back or kept as a
// whole when the socket stops within them.
const privatePieceSize = 2 << 10

// private writes a slot's private messages into a buffer.
type private struct {
	c     *Subscriber
	s     *slot
	in    *feed.Instrument
	buf   []byte
	start int // of the piece
	msg   []byte
	merge merge
}

// fillPrivate appends what a slot that has not joined its stream is to get up to
// a lane offset, and joins the stream as soon as that has the rest. It reports
// whether all was appended.
func (c *Subscriber) fillPrivate(buf []byte, s *slot, until int64) (filled []byte, whole bool) {
	if cap(buf)-len(buf) < privateRoom && len(buf) > 0 {
		return buf, false
	}
	if s.join.place != nil && !c.arrive(s, until) {
		return buf, true
	}
	sym, j := s.key.symbol, s.join
	p := private{c: c, s: s, in: sym.State().Instrument, buf: buf}
	p.merge.loseLow = c.shard.hub.options.Faults.LoseLow
	p.note()
	if j.snapshot != nil {
		p.msg = p.encoder().Snapshot(p.msg[:0], j.snapshot)
		p.put(j.from-1, none)
		j.snapshot = nil
	}
	if s.watch.key.set == Bars {
		p.bars(until)
		j.from, j.ahead = max(j.from, until), j.from > until
	} else {
		to := c.shard.hub.edgeOf(sym, s.watch.key.level, c.target)
		if !p.overtaken(until) || !p.ticks(to.from) {
			return p.buf, false
		}
		j.ahead = max(j.from, j.upTo) > to.from || to.unsure
		j.from = max(j.from, to.from)
	}
	c.tryJoin(s)
	return p.buf, true
}

// arrive turns the place of a cursor into an offset, as soon as this node is there.
func (c *Subscriber) arrive(s *slot, until int64) bool {
	j, sym, hub := s.join, s.key.symbol, c.shard.hub
	at := j.place
	j.from = at.Position[sym.lane]
	j.ahead = j.from > until
	for i := range at.Also {
		j.ahead = j.ahead || at.Also[i].Position[sym.lane] > until
	}
	if j.ahead {
		return false
	}
	j.place = nil
	if s.watch.key.set == Bars {
		for i := range at.Also {
			j.from = max(j.from, at.Also[i].Position[sym.lane])
		}
		return true
	}
	e := hub.edgeAt(sym, at.Level, j.from)
	for i := range at.Also {
		p := &at.Also[i]
		if also := hub.edgeAt(sym, p.Level, p.Position[sym.lane]); also.from > e.from {
			e = also
		}
	}
	if at.Trades != nil {
		if trades := hub.edgeAt(sym, at.Trades.Level, at.Trades.Position[sym.lane]); trades.from > e.from {
			j.upTo = trades.from
			e.had[feed.Trades] = sym.lastBefore(feed.Trades, trades.from)
			e.had[feed.Statuses] = sym.lastBefore(feed.Statuses, trades.from)
		}
	}
	j.from, j.unsure = e.from, e.unsure
	for channel, seq := range e.had {
		j.since.Seq[channel] = max(j.since.Seq[channel], seq)
	}
	return true
}

// note remembers the state before the piece, to take it back.
func (p *private) note() {
	p.start = len(p.buf)
	c := p.c
	c.note(piece{
		kind: privatePiece, start: int32(p.start), flush: int32(c.sent), begun: c.begun, messages: c.messages, saved: int32(len(c.shard.saved)),
	})
	c.shard.saved = append(c.shard.saved, *p.s.join)
}

func (p *private) encoder() Encoder { return p.c.shard.hub.options.Encoder }

// none is no lane offset.
const none = -1

// put appends the message in p.msg, whose last record is at offset, in the
// client's framing. quotes is not none if quotes before that message go only up to
// there.
func (p *private) put(offset, quotes int64) {
	c := p.c
	c.messages++
	p.buf = c.openFlush(p.buf)
	if c.form.framing() == listed && !c.begun {
		p.buf = append(p.buf, p.msg...)
	} else {
		p.buf = appendFramed(p.buf, c.form.framing(), p.msg, func(dst []byte) []byte {
			return p.appendPlace(dst, offset, quotes)
		})
	}
	c.begun = true
}

// appendPlace appends the cursor of a message whose last record is at offset.
func (p *private) appendPlace(dst []byte, offset, quotes int64) []byte {
	lane, target := p.s.key.symbol.lane, p.c.target
	at := Cursor{Tape: target.tape, Place: Place{Position: target.pos.Clone()}}
	trades := max(offset+1, p.s.join.upTo)
	at.Position[lane] = offset + 1
	if quotes != none {
		at.Position[lane] = quotes
	}
	if trades > at.Position[lane] {
		at.Trades = &Place{Position: at.Position.Clone()}
		at.Trades.Position[lane] = trades
	}
	return at.Append(dst)
}

// ticks appends the ring's ticks before a lane offset. It reports false if the
// buffer is full before that.
func (p *private) ticks(until int64) bool {
	j := p.s.join
	v := p.s.key.symbol.ring.view()
	p.lost(v)
	j.unsure = false
	// From here on from alone tells what the client has.
	j.since.Known = [feed.Channels]bool{}
	i := v.search(func(e *entry) bool { return e.Offset >= j.from })
	for ; i < v.n; i++ {
		e := v.at(i)
		if e.Offset >= until {
			break
		}
		// A gap and the tick that shows it have the same offset: they stay
		// together.
		if e.Offset != j.from-1 {
			if cap(p.buf)-len(p.buf) < privateRoom {
				p.flush()
				return false
			}
			if len(p.buf)-p.start >= privatePieceSize && p.merge.empty() {
				p.note()
			}
		}
		p.entry(e)
		j.from = e.Offset + 1
	}
	p.flush()
	return true
}

// entry appends one entry of the ring, unless the client has it or does not want
// it.
func (p *private) entry(e *entry) {
	j := p.s.join
	channel := e.Kind.Channel()
	have := j.since.Seq[channel]
	if !p.s.watch.key.set.has(channel) || e.Seq <= have {
		return
	}
	if e.GapFirst == 0 && p.merges(channel) {
		if p.merge.crosses(e.TS) {
			p.flush()
		}
		p.merge.add(&e.Tick, e.Offset)
		return
	}
	p.flush()
	if e.GapFirst != 0 {
		g := e.gap()
		g.First = max(g.First, have+1)
		p.msg = p.encoder().Gap(p.msg[:0], p.in, g)
	} else {
		p.msg = appendTick(p.msg[:0], p.encoder(), p.in, &e.Tick)
	}
	p.put(e.Offset, none)
}

// merges reports whether the next tick, of that channel, is to be merged.
func (p *private) merges(c feed.Channel) bool {
	j := p.s.join
	if c == feed.Statuses {
		return false
	}
	switch {
	case j.left > 0:
		j.left--
		return true
	case j.left == everything:
		return true
	default:
		return p.s.watch.key.level.merges(c)
	}
}

// flush appends what is merged: the trades, then the quote.
func (p *private) flush() {
	m, e := &p.merge, p.encoder()
	if m.empty() {
		return
	}
	if m.bar.Count > 0 {
		p.msg = m.trades(p.msg[:0], e, p.in)
		quotes := int64(none)
		if m.firstQuote != 0 {
			quotes = m.first
		}
		p.put(m.last, quotes)
	}
	if m.firstQuote != 0 {
		p.msg = m.quotes(p.msg[:0], e, p.in)
		p.put(m.last, none)
	}
	m.reset()
}

// lost tells the client what it should get and is out of the ring, per channel.
func (p *private) lost(v view[entry]) {
	s, j := p.s, p.s.join
	sym := s.key.symbol
	if v.n > 0 && v.at(0).Offset <= j.from && !j.unsure {
		return
	}
	st := sym.State()
	for c := range feed.Channels {
		if !s.watch.key.set.has(c) {
			continue
		}
		oldest := st.Last[c] + 1
		for i := v.search(func(e *entry) bool { return e.Offset >= j.from }); i < v.n; i++ {
			if e := v.at(i); e.Kind.Channel() == c {
				oldest = e.first()
				break
			}
		}
		g := Gap{Channel: c, Seq: oldest - 1, Reason: Retention}
		switch {
		case j.since.Known[c] && j.since.Seq[c] < g.Seq:
			g.First = j.since.Seq[c] + 1
		case j.since.Known[c], g.Seq == 0, sym.gone[c].Load() < j.from && !j.unsure:
			continue
		}
		p.msg = p.encoder().Gap(p.msg[:0], st.Instrument, g)
		p.put(j.from-1, none)
	}
}

// bars appends the final bars of windows that closed from the slot's offset on,
// before a lane offset, and at first the open one.
func (p *private) bars(until int64) {
	s, j := p.s, p.s.join
	sym := s.key.symbol
	l := &p.c.shard.hub.lanes[sym.lane]
	by, some := l.secondAt(until)
	if !some {
		return
	}
	if after, known := l.secondAt(j.from); known && by > after {
		p.finals(after, by, until)
	}
	if !j.begun {
		j.begun = true
		p.openBar(by, until)
	}
}

// openBar appends the open bar if the client can't have it as it is. by is the
// whole second that the lane had reached before until. A window that began after
// that is left to the stream: the final bar of the one before comes first.
func (p *private) openBar(by, until int64) {
	s, j := p.s, p.s.join
	sym := s.key.symbol
	st := sym.State()
	w := st.running(s.key.interval, sym, by)
	if w.Count == 0 || w.Start > by || w.End() <= by || !j.fresh && !sym.tradedIn(j.from, until) {
		return
	}
	p.msg = p.encoder().Bar(p.msg[:0], st.Instrument, &w, false)
	p.put(until-1, none)
}

// tradedIn reports whether the ring has a trade at lane offsets [from, until).
func (s *Symbol) tradedIn(from, until int64) bool {
	v := s.ring.view()
	for i := v.search(func(e *entry) bool { return e.Offset >= from }); i < v.n && v.at(i).Offset < until; i++ {
		if v.at(i).Kind == feed.KindTrade {
			return true
		}
	}
	return false
}

// finals appends the final bars of windows that ended after one whole second, and
// by another.
func (p *private) finals(after, by, until int64) {
	s := p.s
	sym := s.key.symbol
	interval := s.key.interval
	first := interval.Floor(after - int64(interval))
	in := sym.State().Instrument
	closed := sym.series(interval).Rolled(nil, interval, first, interval.Floor(by), mostClosed)
	for i := range closed {
		if w := &closed[i]; w.End() > after && w.End() <= by {
			p.msg = p.encoder().Bar(p.msg[:0], in, w, true)
			p.put(until-1, none)
		}
	}
}

// mostClosed bounds the final bars that a client gets at once when it comes back:
// more than the window can have.
const mostClosed = 1 << 10

// tryJoin moves a slot to its shared stream if that has all that comes next.
func (c *Subscriber) tryJoin(s *slot) {
	w, j := s.watch, s.join
	if w.stream == nil || j.ahead || j.from < w.stream.from || j.from > c.target.pos[s.key.symbol.lane] {
		return
	}
	v := s.key.symbol.ring.view()
	for channel, have := range j.since.Seq {
		if !s.key.symbol.passed(v, feed.Channel(channel), j.from, have) {
			return
		}
	}
	pos := w.stream.find(j.from)
	if !w.stream.follows(pos) {
		return
	}
	s.pos, s.join = pos, nil
	if s.pos.at < w.head {
		if i, ok := c.find(s.key); ok {
			c.mark(i)
		}
	}
}

// passed reports whether the last seq of a channel before a lane offset is at or
// past have, so that nothing that comes next is to be skipped.
func (s *Symbol) passed(v view[entry], channel feed.Channel, offset int64, have uint64) bool {
	if have == 0 {
		return true
	}
	for i := v.search(func(e *entry) bool { return e.Offset >= offset }) - 1; i >= 0; i-- {
		if e := v.at(i); e.Kind.Channel() == channel {
			return e.Seq >= have
		}
	}
	return s.State().Last[channel] >= have
}

// lastBefore returns the last seq of a channel before a lane offset, as far as the
// ring knows.
func (s *Symbol) lastBefore(channel feed.Channel, offset int64) uint64 {
	v := s.ring.view()
	for i := v.search(func(e *entry) bool { return e.Offset >= offset }) - 1; i >= 0; i-- {
		if e := v.at(i); e.Kind.Channel() == channel {
			return e.Seq
		}
	}
	return 0
}
