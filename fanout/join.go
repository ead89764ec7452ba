package fanout

import (
	"github.com/tapecast/tapecast/feed"
)

// join is the state of a slot that is served privately: from a lane offset, out
// of the ring, until the shared stream has all that comes after.
type join struct {
	from     int64 // the next lane offset
	since    Since // what the client has already
	snapshot *State
	begun    bool   // the old end of the ring, or the open bar, was looked at
	fresh    bool   // the client has nothing yet
	merge    *merge // of a poll that must stay short; nil: none
}

// privateRoom is how much of the buffer must be left to begin another private
// message, in bytes.
const privateRoom = 2 << 10

// private writes a slot's private messages into a buffer.
type private struct {
	c     *Subscriber
	s     *slot
	buf   []byte
	start int // of the piece
	msg   []byte
}

// fillPrivate appends what a slot that has not joined its stream is to get up to
// a lane offset, and joins the stream as soon as that has the rest. It reports
// whether all was appended.
func (c *Subscriber) fillPrivate(buf []byte, s *slot, until int64) (filled []byte, whole bool) {
	if cap(buf)-len(buf) < privateRoom && len(buf) > 0 {
		return buf, false
	}
	p := private{c: c, s: s, buf: buf, start: -1}
	p.note()
	j := s.join
	if j.snapshot != nil {
		p.msg = p.encoder().Snapshot(p.msg[:0], j.snapshot)
		p.put(j.from - 1)
		j.snapshot = nil
	}
	if s.watch.key.set == Bars {
		p.bars(until)
	} else if !p.ticks(until) {
		return p.buf, false
	}
	j.from = max(j.from, until)
	c.tryJoin(s)
	return p.buf, true
}

// note remembers the state before the piece, to take it back.
func (p *private) note() {
	p.start = len(p.buf)
	p.c.note(piece{
		kind: privatePiece, start: p.start, flush: p.c.sent, begun: p.c.begun, join: *p.s.join,
	})
}

func (p *private) encoder() Encoder { return p.c.shard.hub.options.Encoder }

// put appends the message in p.msg, of the record at offset, in the client's
// framing.
func (p *private) put(offset int64) {
	c := p.c
	p.buf = c.openFlush(p.buf)
	if c.form.framing() == listed && !c.begun {
		p.buf = append(p.buf, p.msg...)
	} else {
		p.buf = appendFramed(p.buf, c.form.framing(), p.msg, func(dst []byte) []byte {
			pos := c.target.pos.Clone()
			pos[p.s.key.symbol.lane] = offset + 1
			return Cursor{Tape: c.target.tape, Position: pos}.Append(dst)
		})
	}
	c.begun = true
}

// ticks appends the ring's ticks before a lane offset. It reports false if the
// buffer is full before that.
func (p *private) ticks(until int64) bool {
	s, j := p.s, p.s.join
	v := s.key.symbol.ring.view()
	in := s.key.symbol.State().Instrument
	if !j.begun {
		j.begun = true
		p.lost(v)
	}
	i := v.search(func(e *entry) bool { return e.Offset >= j.from })
	for ; i < v.n; i++ {
		e := v.at(i)
		if e.Offset >= until {
			break
		}
		// A gap and the tick that shows it have the same offset: they stay
		// together.
		if e.Offset != j.from-1 && cap(p.buf)-len(p.buf) < privateRoom {
			p.flushMerge()
			return false
		}
		p.entry(in, e)
		j.from = e.Offset + 1
	}
	p.flushMerge()
	return true
}

// entry appends one entry of the ring, unless the client has it or does not want
// it.
func (p *private) entry(in *feed.Instrument, e *entry) {
	j := p.s.join
	channel := e.Kind.Channel()
	have := j.since.Seq[channel]
	if !p.s.watch.key.set.has(channel) || e.Seq <= have {
		return
	}
	if j.merge != nil && j.merge.take(p, e) {
		return
	}
	if e.GapFirst != 0 {
		g := e.gap()
		g.First = max(g.First, have+1)
		p.msg = p.encoder().Gap(p.msg[:0], in, g)
	} else {
		p.msg = appendTick(p.msg[:0], p.encoder(), in, &e.Tick)
	}
	p.put(e.Offset)
}

// lost tells the client what it should get and is out of the ring, per channel.
func (p *private) lost(v view[entry]) {
	s, j := p.s, p.s.join
	sym := s.key.symbol
	if v.n > 0 && v.at(0).Offset <= j.from {
		return
	}
	st := sym.State()
	for c := range feed.Channels {
		if !s.watch.key.set.has(c) {
			continue
		}
		oldest := st.Last[c] + 1
		for i := range v.n {
			if e := v.at(i); e.Kind.Channel() == c {
				oldest = e.first()
				break
			}
		}
		g := Gap{Channel: c, Seq: oldest - 1, Reason: Retention}
		switch {
		case j.since.Known[c] && j.since.Seq[c] < g.Seq:
			g.First = j.since.Seq[c] + 1
		case j.since.Known[c], g.Seq == 0, sym.gone[c].Load() < j.from:
			continue
		}
		p.msg = p.encoder().Gap(p.msg[:0], st.Instrument, g)
		p.put(j.from - 1)
	}
}

// bars appends the final bars of windows that closed from the slot's offset on,
// before a lane offset, and at first the open one.
func (p *private) bars(until int64) {
	s, j := p.s, p.s.join
	sym := s.key.symbol
	l := &p.c.shard.hub.lanes[sym.lane]
	by, some := l.closedAt(until)
	if !some {
		return
	}
	if after, known := l.closedAt(j.from); known && by > after {
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
	w := st.running(s.key.interval, sym)
	if w.Count == 0 || w.Start > by || w.End() <= by || !j.fresh && !sym.tradedIn(j.from, until) {
		return
	}
	p.msg = p.encoder().Bar(p.msg[:0], st.Instrument, &w, false)
	p.put(until - 1)
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
			p.put(until - 1)
		}
	}
}

// mostClosed bounds the final bars that a client gets at once when it comes back:
// more than the window can have.
const mostClosed = 1 << 10

// tryJoin moves a slot to its shared stream if that has all that comes next.
func (c *Subscriber) tryJoin(s *slot) {
	w, j := s.watch, s.join
	if w.stream == nil || j.from < w.stream.from || j.from > c.target.pos[s.key.symbol.lane] {
		return
	}
	v := s.key.symbol.ring.view()
	for channel, have := range j.since.Seq {
		if !s.key.symbol.passed(v, feed.Channel(channel), j.from, have) {
			return
		}
	}
	s.pos, s.join = w.stream.find(j.from), nil
	if s.pos.at < w.head {
		c.mark(c.byKey[s.key])
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
