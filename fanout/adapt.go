package fanout

import (
	"time"

	"github.com/tapecast/tapecast/feed"
)

// How a client is judged, once a second.
const (
	slowLag  = time.Second            // one that is behind by more is slow
	calmLag  = 250 * time.Millisecond // one that is behind by less keeps up
	firstTry = 10 * time.Second       // how long it must keep up to be moved up
	lastTry  = 160 * time.Second      // the same, after moving up was often too early
)

// trial is what a client that was slow has shown since.
type trial struct {
	change    *change       // of a group's level, at the next cut; nil: none
	calmSince int64         // since when the client keeps up, ns; 0: it does not
	promoted  int64         // when it was last moved up, ns; 0: not since it was slow
	patience  time.Duration // how long it must keep up to be moved up
}

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
	if since == 0 && !c.ownPace() {
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

// slack returns how late an acknowledgement may be because of the level and of how
// often there is one, ns.
func (c *Subscriber) slack() int64 {
	slack := int64(0)
	for i := range c.groups {
		g := &c.groups[i]
		slack = max(slack, g.level.window(), g.Resolution.window())
	}
	if c.pace != nil {
		slack = max(slack, c.pace.least(c))
	}
	return slack + int64(ackEvery)
}

// judge moves the client down if it is slow, and up again when it has kept up.
func (c *Subscriber) judge(wall time.Time) {
	if c.form == Answer || len(c.groups) == 0 || c.gone {
		return
	}
	now := wall.UnixNano()
	lag := c.lag(now)
	c.shard.hub.metrics.lag.Observe(lag.Seconds())
	t := c.trial
	switch {
	case lag < slowLag && t == nil:
	case t != nil && t.change != nil:
		// It waits for a cut, and not for ever.
		if lag >= slowLag {
			c.hasten(everyGroup)
		}
	case lag >= slowLag:
		c.fallBehind(now)
	case lag > calmLag:
		t.calmSince = 0
	case t.calmSince == 0:
		t.calmSince = now
	case now-t.calmSince >= int64(t.patience):
		c.catchUp(now)
	}
}

// fallBehind moves the group down that matters least, by a step.
func (c *Subscriber) fallBehind(now int64) {
	if c.dropSlow {
		c.drop(Bye{Code: "slow", Retry: int64(time.Second), Close: 4100})
		return
	}
	if c.trial == nil {
		c.trial = &trial{patience: firstTry}
	}
	t := c.trial
	t.calmSince = 0
	i := c.lowest()
	if i < 0 {
		return
	}
	if c.straddles() {
		c.hasten(everyGroup)
		return
	}
	if t.promoted != 0 && now-t.promoted < int64(t.patience) {
		t.patience = min(2*t.patience, lastTry)
	}
	t.promoted = 0
	g := &c.groups[i]
	t.change = &change{group: i, level: g.level.coarser(g.set), reason: "slow"}
	c.shard.hub.metrics.demotions.Inc()
	c.hasten(i)
	c.shard.queue(c)
}

// catchUp moves the group up that matters most, by a step.
func (c *Subscriber) catchUp(now int64) {
	t := c.trial
	t.calmSince = now
	if t.promoted != 0 && now-t.promoted >= int64(time.Minute) {
		t.patience = firstTry
	}
	i := c.highest()
	if i < 0 || c.straddles() {
		return
	}
	t.promoted = now
	g := &c.groups[i]
	t.change = &change{group: i, level: g.level.finer(g.set, c.best(g)), reason: "recovered"}
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
	if g.rawQuotes() != other.rawQuotes() {
		return g.rawQuotes()
	}
	return g.Priority < other.Priority
}

func (g *group) rawQuotes() bool { return g.level == Raw && g.set.has(feed.Quotes) }

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
	next := c.trial.change
	c.trial.change = nil
	if g := &c.groups[next.group]; g.slots == 0 || c.ending != nil || next.level < c.best(g) {
		return
	}
	c.relevel(next.group, next.level)
	if c.acks != nil {
		c.acks.samples = c.acks.samples[:0] // what they wait for came at another level
	}
	c.repace()
	c.tell(c.groups[next.group].ID, next.level, next.reason)
}

// everyGroup makes hasten go for all groups.
const everyGroup = -1

// hasten merges what a group has not got yet of the flush under way, if there is one,
// so that a slow client gets to its end sooner.
func (c *Subscriber) hasten(group int) {
	if c.target == nil {
		return
	}
	for n := c.sent; n < len(c.flush); n++ {
		f := &c.flush[n]
		s := &c.slots[f.slot]
		if s.watch == nil || s.group != group && group != everyGroup || s.watch.key.set == Bars {
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
