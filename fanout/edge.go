package fanout

import "github.com/tapecast/tapecast/feed"

// edge is a place within a symbol's ticks between two messages of a level.
type edge struct {
	from int64 // the first lane offset after it
	// had is the last seq of a channel before it, if the ring has a gap at that very
	// offset that was sent.
	had [feed.Channels]uint64
	// unsure says that what was before has been forgotten, and that the edge may lie
	// before from.
	unsure bool
}

// edge returns the place that a stream of the level had come to when all before a
// lane offset had been read; now is the lane's time then, in whole steps of grid.
// It goes by the ring alone, so it is the same for all who ask.
func (s *Symbol) edge(level Level, offset, now int64) edge {
	at := edge{from: offset}
	if level.window() == 0 {
		return at
	}
	v := s.ring.view()
	for i := v.search(func(e *entry) bool { return e.Offset >= offset }) - 1; i >= 0; i-- {
		e := v.at(i)
		if !level.merges(e.Kind.Channel()) || e.GapFirst != 0 || level.windowEnd(s.phase, e.TS) <= now {
			if e.GapFirst != 0 && e.Offset == at.from {
				at.had[e.Kind.Channel()] = e.Seq
			}
			return at
		}
		at.from = e.Offset
	}
	at.unsure = v.n > 0
	return at
}

// edgeOf is edge at a cut. It is known however long a client takes to get there.
func (h *Hub) edgeOf(s *Symbol, level Level, c *cut) edge {
	if c.steps == nil {
		return h.edgeAt(s, level, c.pos[s.lane])
	}
	return s.edge(level, c.pos[s.lane], c.steps[s.lane])
}

// edgeAt is edge for readers, who know the lane's time by its steps.
func (h *Hub) edgeAt(s *Symbol, level Level, offset int64) edge {
	now, known := h.lanes[s.lane].stepAt(offset)
	if !known {
		return edge{from: offset, unsure: level.window() > 0}
	}
	return s.edge(level, offset, now)
}
