package fanout

import "time"

// wait is what a poll waits for before it is answered.
type wait struct {
	patience time.Duration // 0: answer at once
	limit    int           // messages at the most
	deadline time.Time     // when it is answered, if with nothing
	attach   time.Time     // until when it waits for its streams
	gather   time.Time     // until when it gathers more, once there is something
	over     bool
}

// How long a poll waits for its streams to be attached, which usually takes a
// few µs, and how long it gathers once there is something to send.
const (
	attachPatience = 50 * time.Millisecond
	gatherTime     = 20 * time.Millisecond
)

// Answer makes the subscriber's one flush wait until there is something to send,
// at most for patience, and keeps it to about limit messages by merging the
// oldest part of each symbol. To be called within Start, after Subscribe.
func (c *Subscriber) Answer(patience time.Duration, limit int) {
	now := c.shard.hub.now()
	c.wait = &wait{
		patience: patience, limit: limit,
		deadline: now.Add(patience), attach: now.Add(attachPatience),
	}
	c.shard.held = append(c.shard.held, c)
}

// due returns when the wait is to be looked at again at the latest.
func (w *wait) due(now time.Time) time.Time {
	next := w.deadline
	if w.attach.After(now) && w.attach.Before(next) {
		next = w.attach
	}
	if !w.gather.IsZero() && w.gather.Before(next) {
		next = w.gather
	}
	return next
}

// releaseHeld lets the polls go that need not wait any longer.
func (s *Shard) releaseHeld(now time.Time) {
	kept := s.held[:0]
	for _, sub := range s.held {
		if !sub.waited(now) {
			kept = append(kept, sub)
			continue
		}
		sub.wait.over = true
		sub.shorten()
		s.queue(sub)
	}
	clear(s.held[len(kept):])
	s.held = kept
}

// waited reports whether a poll need not wait any longer.
func (c *Subscriber) waited(now time.Time) bool {
	w := c.wait
	if now.Before(w.attach) && !c.attached() {
		return false
	}
	if w.patience == 0 || !now.Before(w.deadline) || c.fresh() {
		return true
	}
	if len(c.dirty) == 0 || c.pending() == 0 {
		return false
	}
	if w.gather.IsZero() {
		w.gather = now.Add(gatherTime)
	}
	return !now.Before(w.gather)
}

// attached reports whether all the streams are there.
func (c *Subscriber) attached() bool {
	for i := range c.slots {
		if w := c.slots[i].watch; w != nil && w.stream == nil && w.key.level != Paced {
			return false
		}
	}
	return true
}

// fresh reports whether the poll begins with snapshots.
func (c *Subscriber) fresh() bool {
	for i := range c.slots {
		if j := c.slots[i].join; j != nil && j.snapshot != nil {
			return true
		}
	}
	return false
}

// pending returns how many messages wait for the client.
func (c *Subscriber) pending() int {
	total := 0
	for _, i := range c.dirty {
		n, _ := c.slots[i].pending(c.shard)
		total += n
	}
	return total
}

// pending returns how many messages wait in a slot, and the lane offset of the
// first one.
func (s *slot) pending(shard *Shard) (n int, from int64) {
	if s.watch == nil {
		return 0, 0
	}
	if s.join == nil {
		from, n, _ = s.watch.stream.next(s.pos, s.watch.head)
		return n, from
	}
	lane := s.key.symbol.lane
	until := shard.at.cut.pos[lane]
	if s.watch.key.set == Bars {
		after, _ := shard.hub.lanes[lane].secondAt(s.join.from)
		by, _ := shard.hub.lanes[lane].secondAt(until)
		return int((by - after) / int64(s.key.interval)), s.join.from
	}
	v := s.key.symbol.ring.view()
	for i := v.search(func(e *entry) bool { return e.Offset >= s.join.from }); i < v.n; i++ {
		e := v.at(i)
		if e.Offset >= until {
			break
		}
		if s.watch.key.set.has(e.Kind.Channel()) && e.Seq > s.join.since.Seq[e.Kind.Channel()] {
			n++
		}
	}
	return n, s.join.from
}

// shorten turns the oldest part of each symbol into a merge if there is more than
// the limit. Each symbol keeps its share of single messages.
func (c *Subscriber) shorten() {
	total := c.pending()
	if total <= c.wait.limit {
		return
	}
	for _, i := range c.dirty {
		s := &c.slots[i]
		n, from := s.pending(c.shard)
		if n < 2 || s.watch.key.set == Bars {
			continue
		}
		// Two messages, an agg and a quote, stand for the merged part.
		keep := max(n*c.wait.limit/total-2, 0)
		if s.join == nil {
			s.join = &join{from: from}
		}
		s.join.left = n - keep
	}
}
