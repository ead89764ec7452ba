package fanout

import (
	"time"

	"github.com/tapecast/tapecast/feed"
)

// staleAfter is how long a lane may be without a record before what its windows
// hold is sent by wall time: only a tape that moves ends windows.
const staleAfter = time.Second

// watchLanes notes which lanes have become stale. Ingest only.
func (h *Hub) watchLanes(now int64) {
	stale := 0
	for i := range h.lanes {
		l := &h.lanes[i]
		if l.heard == 0 || now-l.heard <= int64(staleAfter) {
			continue
		}
		stale++
		if l.staleAt.Load() == 0 {
			l.staleAt.Store(l.next)
			h.stale = append(h.stale, i)
			h.metrics.staleCloses.Inc()
		}
	}
	h.metrics.stale.Set(float64(stale))
}

// overtake lets the client have what its merged levels hold back of a stale lane.
func (c *Subscriber) overtake(lane int) {
	for i := range c.slots {
		s := &c.slots[i]
		if s.watch == nil || s.key.symbol.lane != lane || s.watch.key.level.window() == 0 || s.watch.key.set == Bars {
			continue
		}
		if s.join == nil {
			j := c.place(s)
			s.join = &j
		}
		c.mark(i)
	}
}

// overtaken appends what a slot's level holds back of a stale lane before a lane
// offset. Its client then has more than its level has sent. It reports false if the
// buffer is full before that.
func (p *private) overtaken(until int64) bool {
	c, j := p.c, p.s.join
	lane := p.s.key.symbol.lane
	at := c.shard.hub.lanes[lane].staleAt.Load()
	if at == 0 || at > until || j.from >= at || p.s.watch.key.level.window() == 0 {
		return true
	}
	c.hold()
	if !p.ticks(at) {
		return false
	}
	j.from = max(j.from, at)
	pos := make(feed.Position, len(c.target.pos))
	pos[lane] = at
	c.also = Place{Position: pos}.with(c.also)
	return true
}
