package fanout

import "time"

// How a client is judged, once a second.
const (
	slowLag  = time.Second            // one that is behind by more is slow
	calmLag  = 250 * time.Millisecond // one that is behind by less keeps up
	firstTry = 10 * time.Second       // how long it must keep up to be moved up
	lastTry  = 160 * time.Second      // the same, after moving up was often too early
)

// change is a group's next level.
type change struct {
	group  int
	level  Level
	reason string
}

// OnSlow says what is to become of the client when it is slow: whether it is
// dropped, or adapted, as it is by default. To be called within Do or Start.
func (c *Subscriber) OnSlow(drop bool) { c.dropSlow = drop }

// lag returns how old the oldest thing is that the client should have and has not.
func (c *Subscriber) lag(now int64) time.Duration {
	since := c.flushSince
	if since == 0 && !c.limited() {
		since = c.dirtySince
	}
	var lag time.Duration
	if since != 0 {
		lag = time.Duration(now - since)
	}
	if c.acks != nil {
		lag = max(lag, c.acks.lag(now, c.slack()))
	}
	return lag
}

// slack returns how late an acknowledgement may be because of the level alone, ns.
func (c *Subscriber) slack() int64 {
	slack := int64(0)
	for i := range c.groups {
		g := &c.groups[i]
		slack = max(slack, g.level.window(), g.Resolution.window())
	}
	if c.pace != nil {
		slack = max(slack, c.pace.least(c))
	}
	return slack
}

// judge moves the client down if it is slow, and up again when it has kept up.
func (c *Subscriber) judge(wall time.Time) {
	if c.form == Answer || len(c.groups) == 0 || c.gone {
		return
	}
	now := wall.UnixNano()
	lag := c.lag(now)
	c.shard.hub.metrics.lag.Observe(lag.Seconds())
	switch {
	case c.change != nil:
		// It waits for a cut.
	case lag >= slowLag:
		c.calmSince = 0
		c.fallBehind(now)
	case lag > calmLag:
		c.calmSince = 0
	case c.calmSince == 0:
		c.calmSince = now
	case now-c.calmSince >= int64(max(c.patience, firstTry)):
		c.catchUp(now)
	}
}

// fallBehind moves the group down that matters least, by a step.
func (c *Subscriber) fallBehind(now int64) {
	if c.dropSlow {
		c.drop(Bye{Code: "slow", Retry: int64(time.Second), Close: 4100})
		return
	}
	i := c.lowest()
	if i < 0 || c.straddles() {
		return
	}
	if c.promoted != 0 && now-c.promoted < int64(max(c.patience, firstTry)) {
		c.patience = min(2*max(c.patience, firstTry), lastTry)
	}
	c.promoted = 0
	g := &c.groups[i]
	c.change = &change{group: i, level: g.level.coarser(g.set), reason: "slow"}
	c.shard.hub.metrics.demotions.Inc()
	if c.target != nil {
		c.hasten(i)
	}
	c.shard.queue(c)
}

// catchUp moves the group up that matters most, by a step.
func (c *Subscriber) catchUp(now int64) {
	c.calmSince = now
	if c.promoted != 0 && now-c.promoted >= int64(time.Minute) {
		c.patience = firstTry
	}
	i := c.highest()
	if i < 0 || c.straddles() {
		return
	}
	c.promoted = now
	g := &c.groups[i]
	c.change = &change{group: i, level: g.level.finer(g.set, c.best(g)), reason: "recovered"}
	c.shard.hub.metrics.promotions.Inc()
	c.shard.queue(c)
}

// lowest returns the group that is to be moved down next: first the quotes of all,
// then the rest, the lowest priority first; -1: none can be.
func (c *Subscriber) lowest() int {
	found := -1
	for i := range c.groups {
		g := &c.groups[i]
		if g.slots == 0 || g.level == Paced {
			continue
		}
		if found < 0 || g.lowerThan(&c.groups[found]) {
			found = i
		}
	}
	return found
}

// lowerThan reports whether g is to be moved down before other.
func (g *group) lowerThan(other *group) bool {
	if (g.level == Raw) != (other.level == Raw) {
		return g.level == Raw
	}
	return g.Priority < other.Priority
}

// highest returns the group that is to be moved up next, in the reverse order; -1:
// all have what they asked for.
func (c *Subscriber) highest() int {
	found := -1
	for i := range c.groups {
		g := &c.groups[i]
		if g.slots == 0 || g.level <= c.best(g) {
			continue
		}
		if found < 0 || c.groups[found].lowerThan(g) {
			found = i
		}
	}
	return found
}

// turn makes the change that waits, at a cut.
func (c *Subscriber) turn() {
	next := c.change
	c.change = nil
	if g := &c.groups[next.group]; g.slots == 0 || c.ending != nil || next.level < c.best(g) {
		return
	}
	c.relevel(next.group, next.level)
	c.repace()
	c.tell(c.groups[next.group].ID, next.level, next.reason)
}

// hasten merges what a group has not got yet of the flush under way, so that a slow
// client gets to its end sooner.
func (c *Subscriber) hasten(group int) {
	for n := c.sent; n < len(c.flush); n++ {
		f := &c.flush[n]
		s := &c.slots[f.slot]
		if s.watch == nil || s.group != group || s.watch.key.set == Bars {
			continue
		}
		if s.join == nil {
			from, _, some := s.watch.stream.next(s.pos, f.head)
			if !some {
				continue // nothing is left, or it is out of the window, which Fill finds
			}
			s.join = &join{from: from}
			f.head = c.target.pos[s.key.symbol.lane]
		}
		s.join.left = everything
	}
}
