package fanout

import (
	"github.com/tapecast/tapecast/charts"
	"github.com/tapecast/tapecast/feed"
)

// Request is what a client wants to get from now on.
type Request struct {
	Symbols []*Symbol
	Set     Set               // of ticks; 0: none
	Bars    []charts.Interval // intervals of bars
	Group   Group             // that they belong to from now on
	// Cursor is where to read from; nil: from now, beginning with snapshots.
	Cursor *Cursor
	// Since holds, per symbol, the last seqs that the client has: they are not
	// sent again. Only with a cursor.
	Since map[string]Since
}

// Since is what a client has of a symbol: the last seq per channel, where known.
type Since struct {
	Seq   [feed.Channels]uint64
	Known [feed.Channels]bool
}

// Subscribe adds to what the client gets. Without a cursor, a symbol that is
// watched already goes on from where it is, with the larger set and in the new
// group, without a hole, a repeat or another snapshot. To be called within Do or Start.
func (c *Subscriber) Subscribe(r *Request) {
	at := c.shard.at.cut
	states := []*State(nil)
	if r.Cursor == nil {
		states, at = c.shard.states(r.Symbols)
	}
	first := c.live() == 0
	c.rebase(r.Cursor, at)
	g := c.regroup(r)
	if first {
		c.origin, c.also, c.trades = r.Cursor, c.beginning(r, at), nil
		if r.Cursor != nil {
			c.trades = r.Cursor.Trades
		}
	}
	for n, sym := range r.Symbols {
		j := join{from: at.pos[sym.lane]}
		if r.Cursor != nil {
			j.from, j.since = r.Cursor.Position[sym.lane], r.Since[sym.name]
			if !r.Cursor.raw() {
				j.place = r.Cursor
			}
		} else {
			j.snapshot, j.fresh = states[n], true
		}
		if r.Set != 0 {
			c.join(slotKey{symbol: sym}, r.Set, g, j, r.Cursor != nil)
			j.snapshot = nil
		}
		for _, i := range r.Bars {
			c.join(slotKey{symbol: sym, interval: i}, Bars, g, j, r.Cursor != nil)
			j.snapshot = nil
		}
	}
	c.repace()
}

// beginning returns up to where a client that begins now has everything. That may
// be more than this node, or the client's level, has sent by then.
func (c *Subscriber) beginning(r *Request, at *cut) []Place {
	if r.Cursor != nil {
		return r.Cursor.with(r.Cursor.Also)
	}
	return []Place{{Position: at.pos}}
}

// states returns the symbols' states at one cut, and that cut: none of them is
// newer or older than it.
func (s *Shard) states(symbols []*Symbol) ([]*State, *cut) {
	states := make([]*State, len(symbols))
	for {
		at := s.catchUp()
		newer := false
		for i, sym := range symbols {
			states[i] = sym.State()
			newer = newer || states[i].Next > at.pos[sym.lane]
		}
		if !newer {
			return states, at
		}
		// Ingest is between publishing states and the pass that has them: that
		// takes it a few µs.
	}
}

// rebase makes the client's place the older one of where it is and a cursor, so
// that going on from there misses nothing.
func (c *Subscriber) rebase(from *Cursor, at *cut) {
	if c.live() == 0 {
		c.reached = at
	}
	if from == nil {
		return
	}
	cursor := from.Position
	pos := c.had().pos.Clone()
	if c.live() == 0 {
		copy(pos, cursor)
	}
	for lane := range pos {
		pos[lane] = min(pos[lane], at.pos[lane], cursor[lane])
	}
	if c.live() > 0 {
		// Of some symbols it has what it had, of others what the cursor says: of all
		// no more than the lesser of both.
		level := c.cursorLevel()
		if c.origin != nil {
			level = c.origin.Level
		}
		lesser := Place{Position: pos, Level: level.under(from.Level)}
		c.origin, c.also, c.trades = &Cursor{Tape: at.tape, Place: lesser}, []Place{lesser}, nil
	}
	c.reached = &cut{tape: at.tape, pos: pos, time: at.time}
}

// join seats the client at a stream and lets it be served privately until it has
// caught up with it. What it watches already goes on from where it is.
func (c *Subscriber) join(key slotKey, set Set, g int, j join, resumed bool) {
	if i, ok := c.find(key); ok {
		s := &c.slots[i]
		if set != Bars {
			set |= s.watch.key.set
		}
		if !resumed {
			if s.watch.key.set == set && s.group == g {
				return
			}
			c.hold()
			j = c.place(s)
		}
		c.vacate(i)
	}
	i := len(c.slots)
	if n := len(c.vacant); n > 0 {
		i, c.vacant = c.vacant[n-1], c.vacant[:n-1]
	} else {
		c.slots = append(c.slots, slot{})
	}
	s := &c.slots[i]
	*s = slot{key: key, group: g, join: &j}
	c.groups[g].slots++
	watch := c.streamKey(s, set)
	j.ahead = j.fresh && watch.level.window() > 0
	s.watch, s.seat = c.shard.watch(watch, c, i)
	c.enlist(key, i)
	c.mark(i)
}

// streamKey returns what a slot of a set is to watch at its group's level.
func (c *Subscriber) streamKey(s *slot, set Set) StreamKey {
	level := c.groups[s.group].level
	if set == Bars {
		level = level.ofBars()
	} else {
		level = level.of(set)
	}
	return StreamKey{symbol: s.key.symbol, set: set, interval: s.key.interval, level: level, framing: c.form.framing()}
}

// place returns a join that goes on where a slot is. It is called at a cut.
func (c *Subscriber) place(s *slot) join {
	if s.join != nil {
		return *s.join
	}
	sym := s.key.symbol
	at := c.reached.pos[sym.lane]
	if s.watch.key.set == Bars {
		return join{from: at, begun: true}
	}
	return joinAt(c.shard.hub.edgeOf(sym, s.watch.key.level, c.reached))
}

// vacate gives a slot's seat back.
func (c *Subscriber) vacate(i int) {
	s := &c.slots[i]
	if s.watch == nil {
		return
	}
	c.shard.unwatch(s.watch, s.seat)
	c.groups[s.group].slots--
	if c.byKey != nil {
		delete(c.byKey, s.key)
	}
	*s = slot{}
	c.vacant = append(c.vacant, i)
}

// Unsubscribe ends a set of ticks, and bars, of the symbols. What is left of a
// symbol goes on without a hole. To be called within Do or Start.
func (c *Subscriber) Unsubscribe(symbols []*Symbol, set Set, bars []charts.Interval) {
	// What the client has of them is as its level has left it.
	c.hold()
	for _, sym := range symbols {
		if i, ok := c.find(slotKey{symbol: sym}); ok {
			c.narrow(i, set)
		}
		for _, interval := range bars {
			if i, ok := c.find(slotKey{symbol: sym, interval: interval}); ok {
				c.vacate(i)
			}
		}
	}
	c.repace()
}

// narrow takes a set out of a slot of ticks.
func (c *Subscriber) narrow(i int, set Set) {
	s := &c.slots[i]
	kept := s.watch.key.set &^ set
	if kept == 0 {
		c.vacate(i)
		return
	}
	if key := c.streamKey(s, kept); key != s.watch.key {
		c.rewatch(i, key)
	}
}
