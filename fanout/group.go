package fanout

import "github.com/tapecast/tapecast/feed"

// Group is what a client asked for together: a WebSocket client may have several,
// of different resolution and priority.
type Group struct {
	ID         string // "": the one that a client has who names none
	Resolution Level  // it is never served finer
	Priority   int    // groups of lower priority are adapted first
}

// MaxGroups bounds the groups of a client. A new group takes the place of one
// that has no symbols any more.
const MaxGroups = 64

// group is a Group and how it is served.
type group struct {
	Group
	set   Set   // of all its ticks
	level Level // at least its resolution
	slots int
}

// Room reports whether the client may have that group. To be called within Do or
// Start.
func (c *Subscriber) Room(id string) bool {
	if len(c.groups) < MaxGroups {
		return true
	}
	for i := range c.groups {
		if g := &c.groups[i]; g.ID == id || g.slots == 0 {
			return true
		}
	}
	return false
}

// regroup returns the index of a request's group, which it makes or changes.
func (c *Subscriber) regroup(r *Request) int {
	asked := r.Group
	free := -1
	for i := range c.groups {
		g := &c.groups[i]
		if g.ID == asked.ID {
			g.Priority = asked.Priority
			g.set |= r.Set
			c.ask(i, asked.Resolution)
			return i
		}
		if g.slots == 0 {
			free = i
		}
	}
	g := group{Group: asked, set: r.Set}
	g.level = c.best(&g)
	if free < 0 {
		c.groups = append(c.groups, g)
		free = len(c.groups) - 1
	} else {
		c.shard.hub.metrics.leveled(c.groups[free].level, -1)
		c.groups[free] = g
	}
	c.shard.hub.metrics.leveled(g.level, 1)
	return free
}

// ask changes a group's resolution. One that is slow stays as coarse as it is.
func (c *Subscriber) ask(i int, resolution Level) {
	g := &c.groups[i]
	slow := g.level > c.best(g)
	g.Resolution = resolution
	level := c.best(g)
	if slow {
		level = max(level, g.level)
	}
	c.relevel(i, level)
}

// best returns the finest level that a group may be served at.
func (c *Subscriber) best(g *group) Level {
	if c.limited() {
		return Paced
	}
	return g.Resolution
}

// Resolve changes the resolution of the group of that ID, or of all if there is
// none, and tells the client once, under that ID. To be called within Do.
func (c *Subscriber) Resolve(id string, resolution Level) {
	one := c.has(id)
	level := resolution
	for i := range c.groups {
		if g := &c.groups[i]; !one || g.ID == id {
			c.ask(i, resolution)
			level = max(level, g.level)
		}
	}
	c.repace()
	c.tell(id, level, "asked")
}

func (c *Subscriber) has(id string) bool {
	for i := range c.groups {
		if c.groups[i].ID == id {
			return true
		}
	}
	return false
}

// Resolution returns what a group was asked for; Raw if there is no such group. To
// be called within Do or Start.
func (c *Subscriber) Resolution(id string) Level {
	for i := range c.groups {
		if c.groups[i].ID == id {
			return c.groups[i].Resolution
		}
	}
	return Raw
}

// relevel serves a group at another level from this cut on.
func (c *Subscriber) relevel(i int, level Level) {
	g := &c.groups[i]
	if g.level == level {
		return
	}
	held := c.origin != nil
	c.hold()
	old := c.cursorLevel()
	c.shard.hub.metrics.leveled(g.level, -1)
	c.shard.hub.metrics.leveled(level, 1)
	g.level = level
	// What the slots have may be more than the new level has sent: the end of the
	// old one tells, but for a client that has not come to it yet.
	if !held {
		c.also = Place{Position: c.had().pos, Level: old}.with(c.alsoHas())
	}
	for n := range c.slots {
		s := &c.slots[n]
		if s.watch == nil || s.group != i {
			continue
		}
		if key := c.streamKey(s, s.watch.key.set); key != s.watch.key {
			c.rewatch(n, key)
		}
	}
}

// hold keeps the client's cursor as it is until the next flush has ended, because
// what comes now makes it have less than the new cursor would say.
func (c *Subscriber) hold() {
	if c.origin == nil {
		also := c.alsoHas() // forgets trades too, when they are of no use any more
		c.origin = &Cursor{Tape: c.reached.tape, Place: Place{Position: c.had().pos, Level: c.cursorLevel()}, Also: also, Trades: c.trades}
	}
}

// rewatch moves a slot to another stream of its symbol, from where it is.
func (c *Subscriber) rewatch(n int, key StreamKey) {
	s := &c.slots[n]
	j := c.place(s)
	j.ahead, j.left = key.level.window() > 0, 0
	c.shard.unwatch(s.watch, s.seat)
	s.join = &j
	s.watch, s.seat = c.shard.watch(key, c, n)
	c.mark(n)
}

// straddles reports whether a slot has more than its level has sent, or may have.
func (c *Subscriber) straddles() bool {
	for i := range c.slots {
		if s := &c.slots[i]; s.watch != nil && s.join != nil && (s.join.ahead || s.join.place != nil) {
			return true
		}
	}
	return false
}

// sure returns a position without the lanes of symbols whose place this node has not
// come to: of these the client has not got what its level has sent by then.
func (c *Subscriber) sure(pos feed.Position) feed.Position {
	pos = pos.Clone()
	for i := range c.slots {
		if s := &c.slots[i]; s.watch != nil && s.join != nil && s.join.place != nil {
			pos[s.key.symbol.lane] = 0
		}
	}
	return pos
}

// alsoHas returns what a cursor must say besides its level's place.
func (c *Subscriber) alsoHas() []Place {
	if (c.also != nil || c.trades != nil) && !c.straddles() {
		c.also, c.trades = nil, nil
	}
	return c.also
}

// cursorLevel returns the level of the client's cursors: that of its one group.
// With several it is one that sends no more than any of them, so that a cursor
// claims too little rather than too much; their clients say by since what they have.
func (c *Subscriber) cursorLevel() Level {
	level := Raw
	for i := range c.groups {
		if g := &c.groups[i]; g.slots > 0 && g.level.window() > 0 {
			level = level.under(g.level.of(g.set))
		}
	}
	return level
}

// countGroups counts the groups of a client that comes or goes.
func (c *Subscriber) countGroups(by float64) {
	for i := range c.groups {
		c.shard.hub.metrics.leveled(c.groups[i].level, by)
	}
}

// tell tells the client what a group gets from now on.
func (c *Subscriber) tell(id string, level Level, reason string) {
	c.Send(func(dst []byte, _ string) []byte {
		return c.shard.hub.options.Encoder.Resolution(dst, Resolution{
			ID: id, Trades: level.String(), Quotes: level.Quotes(), Reason: reason,
		})
	})
}
