package fanout

import "github.com/tapecast/tapecast/feed"

// merger makes the messages of one symbol at one merged level, for all streams
// that want them. Ingest only; it exists while one of its streams does.
type merger struct {
	merge
	symbol  *Symbol
	level   Level
	end     int64 // tape time at which what is in it is sent, ns UTC
	waits   bool  // it is in its lane's list of those that end
	streams []*Stream
}

// merger returns the symbol's merger of a level, which begins with what that
// level has not sent yet of the ring's ticks.
func (h *Hub) merger(s *Symbol, level Level) *merger {
	for _, m := range s.mergers {
		if m.level == level {
			return m
		}
	}
	m := &merger{symbol: s, level: level, merge: merge{loseLow: h.options.Faults.LoseLow}}
	s.mergers = append(s.mergers, m)
	l := &h.lanes[s.lane]
	from := s.edge(level, l.next, l.time/grid*grid).from
	v := s.ring.view()
	for i := v.search(func(e *entry) bool { return e.Offset >= from }); i < v.n; i++ {
		if e := v.at(i); e.GapFirst == 0 {
			h.hold(m, &e.Tick, e.Offset)
		}
	}
	return m
}

// take sends a tick to the merger's streams, now or when its window ends. raw is
// its message, if it is one that is sent as it is.
func (h *Hub) take(m *merger, t *feed.Tick, offset int64, raw []byte) {
	if m.level.merges(t.Kind.Channel()) {
		h.hold(m, t, offset)
		return
	}
	h.flushMerger(m)
	h.distribute(m.streams, t.Kind.Channel(), raw, offset, t.TS)
}

// hold merges a tick into what is to be sent.
func (h *Hub) hold(m *merger, t *feed.Tick, offset int64) {
	end := m.level.windowEnd(m.symbol.phase, t.TS)
	if !m.empty() && end != m.end {
		h.flushMerger(m)
	}
	m.add(t, offset)
	m.end = end
	l := &h.lanes[m.symbol.lane]
	if !m.waits {
		m.waits = true
		l.merging = append(l.merging, m)
	}
	if end <= l.time/grid*grid {
		h.flushMerger(m) // only where a tape's time goes back
	}
}

// closeMergers sends what the lane's mergers hold of windows that ended by now, a
// multiple of grid.
func (h *Hub) closeMergers(l *lane, now int64) {
	kept := l.merging[:0]
	for _, m := range l.merging {
		if m.end <= now {
			h.flushMerger(m)
		}
		if m.empty() {
			m.waits = false
			continue
		}
		kept = append(kept, m)
	}
	clear(l.merging[len(kept):])
	l.merging = kept
}

// flushMerger sends what a merger holds: the trades, then the quote. A stream gets both
// as one unit, so that nobody stands between them.
func (h *Hub) flushMerger(m *merger) {
	if m.empty() {
		return
	}
	e, in := h.options.Encoder, m.symbol.book.Instrument
	h.message = m.trades(h.message[:0], e, in)
	h.second = m.quotes(h.second[:0], e, in)
	for _, s := range m.streams {
		h.frame = h.frame[:0]
		trades := len(h.message) > 0 && s.key.set.has(feed.Trades)
		quotes := len(h.second) > 0 && s.key.set.has(feed.Quotes)
		if trades {
			h.frame = appendFramed(h.frame, s.key.framing, h.message, func(dst []byte) []byte {
				if quotes {
					return h.appendPlace(dst, m.symbol.lane, m.last, m.first)
				}
				return h.appendPlace(dst, m.symbol.lane, m.last, none)
			})
		}
		if quotes {
			h.frame = appendFramed(h.frame, s.key.framing, h.second, func(dst []byte) []byte {
				return h.appendPlace(dst, m.symbol.lane, m.last, none)
			})
		}
		if trades || quotes {
			h.extend(s, h.frame, unit{first: m.first, last: m.last}, m.newest())
		}
	}
	m.reset()
}

// newest returns the tape time of the newest tick, ns UTC.
func (m *merge) newest() int64 {
	if m.firstQuote == 0 {
		return m.bar.TS
	}
	return max(m.quote.TS, m.bar.TS)
}

// appendPlace appends the cursor of a message of one symbol, whose last record is
// at offset of its lane: whoever has the message has everything of the symbol up to
// there. quotes is not none if of quotes it has only those before that offset.
func (h *Hub) appendPlace(dst []byte, lane int, offset, quotes int64) []byte {
	for i := range h.lanes {
		h.pos[i] = h.lanes[i].next
	}
	h.pos[lane] = offset + 1
	c := Cursor{Tape: h.tape, Place: Place{Position: h.pos}}
	if quotes != none {
		copy(h.further, h.pos)
		h.pos[lane] = quotes
		c.Trades = &Place{Position: h.further}
	}
	return c.Append(dst)
}
