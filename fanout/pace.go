package fanout

import "time"

// pace is when a client is served whose slots, or some of them, are Paced.
type pace struct {
	rate  int   // messages/s at the most; 0: any
	bytes int   // bytes/s at the most; 0: any
	next  int64 // when the next flush may begin, ns
	slots bool  // it has slots at the level Paced
	begun bool  // the flush under way has them
	// reached is where the last flush that had them ended, beyond which the client
	// can't claim to have everything.
	reached *cut
}

// leastPause is how often a client is served privately at the most.
const leastPause = 100 * time.Millisecond

// Limit bounds what the client gets, in messages/s and bytes/s; 0: no bound. Its
// groups are then Paced: each flush has at most an agg and a quote per symbol, and
// the next one waits until it is paid for. To be called within Do or Start.
func (c *Subscriber) Limit(rate, bytes int) {
	if c.pace == nil {
		c.pace = &pace{}
	}
	was := c.limited()
	c.pace.rate, c.pace.bytes, c.pace.next = rate, bytes, 0
	if was != c.limited() {
		for i := range c.groups {
			c.relevel(i, c.best(&c.groups[i]))
		}
	}
	c.repace()
}

// limited reports whether the client wants a bound of messages or bytes.
func (c *Subscriber) limited() bool { return c.pace != nil && c.pace.rate+c.pace.bytes > 0 }

// ownPace reports whether all that the client gets waits for its pace: what it asked
// for, or, as the cursor of its events is one for all, because some slots do.
func (c *Subscriber) ownPace() bool {
	return c.limited() || c.pace != nil && c.pace.slots && c.form != Frames
}

// had returns the place of the last flush, beyond which the client can't claim to have
// everything.
func (c *Subscriber) had() *cut {
	if c.pace != nil && c.pace.slots {
		return c.pace.reached
	}
	return c.reached
}

// repace notes whether the shard has to look after the client's pace.
func (c *Subscriber) repace() {
	slots := false
	for i := range c.groups {
		slots = slots || c.groups[i].level == Paced && c.groups[i].slots > 0
	}
	had := c.pace != nil && c.pace.slots
	switch {
	case slots == had:
		return
	case slots:
		if c.pace == nil {
			c.pace = &pace{}
		}
		c.pace.reached = c.reached
		c.shard.paced = append(c.shard.paced, c)
	default:
		c.shard.paced = without(c.shard.paced, func(o *Subscriber) bool { return o == c })
	}
	c.pace.slots = slots
	if !slots && !c.limited() {
		c.pace = nil
	}
}

// releasePaced lets those paced clients go whose time has come.
func (s *Shard) releasePaced() {
	for _, c := range s.paced {
		if s.now >= c.pace.next && c.target == nil {
			s.queue(c)
		}
	}
}

// paces marks the slots that are served at the client's own pace, if it is time,
// and reports whether a flush may begin at all.
func (c *Subscriber) paces() bool {
	if c.shard.now < c.pace.next {
		return !c.ownPace()
	}
	if c.pace.slots {
		c.pace.begun = true
		for i := range c.slots {
			s := &c.slots[i]
			if s.watch == nil || s.watch.key.level != Paced || s.dirty || s.join.place == nil && s.key.symbol.State().Next <= s.join.from {
				continue
			}
			s.dirty = true
			c.dirty = append(c.dirty, i)
		}
	}
	return true
}

// flushed sets when the next flush may begin.
func (p *pace) flushed(c *Subscriber) {
	if !p.begun && !c.limited() {
		return
	}
	p.begun, p.reached = false, c.reached
	pause := p.least(c)
	if p.rate > 0 {
		pause = max(pause, int64(c.messages)*int64(time.Second)/int64(p.rate))
	}
	if p.bytes > 0 {
		pause = max(pause, int64(c.bytes)*int64(time.Second)/int64(p.bytes))
	}
	p.next = c.shard.now + pause
}

// least returns the least pause between two flushes, ns: none is finer than what
// was asked for, or than the level above.
func (p *pace) least(c *Subscriber) int64 {
	least := int64(leastPause)
	for i := range c.groups {
		g := &c.groups[i]
		switch {
		case g.level != Paced:
		case c.limited():
			least = max(least, g.Resolution.window())
		default:
			least = max(least, Merged5s.window())
		}
	}
	return least
}
