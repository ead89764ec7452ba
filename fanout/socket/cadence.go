package socket

import (
	"time"

	"github.com/tapecast/tapecast/fanout"
)

// A write costs nearly the same whatever its length. So passes that come less often,
// and find more for each client, are the one big saving there is; but only where
// the same clients are written to again and again. With many clients of little each,
// rests save nothing and cost latency.
const (
	busyLoad   = 0.5  // from this share of its time in passes on, a shard tries to rest
	idleLoad   = 0.15 // below it, it has no need to
	restFactor = 3    // times what a pass costs is how long it rests after it
	leastGain  = 1.5  // marks per client written, below which rests are of no use
	tries      = 8    // passes after which that is judged
	firstWait  = time.Second
	lastWait   = 32 * time.Second
	window     = 100 * time.Millisecond // over which load is averaged
)

// cadence says when a shard's next pass is due.
type cadence struct {
	most time.Duration // Options.Cadence
	rest time.Time     // no pass before
	next time.Time     // when the shard wants one, woken or not

	ended   time.Time     // when the last pass did
	load    float64       // share of its time that the shard spends in passes
	gain    float64       // marks per client written, of late
	resting bool          // it rests after each pass
	left    int           // passes until a new rest is judged
	retry   time.Time     // no other try before
	wait    time.Duration // until the next try, if this one is of no use
}

// pass makes a pass, and returns the time after it.
func (c *cadence) pass(s *fanout.Shard, now time.Time) time.Time {
	c.next = s.Pass(now)
	end := time.Now()
	marks, clients := s.Work()
	c.rest = end.Add(c.pause(now, end, marks, clients))
	return end
}

// pause returns how long the shard rests after a pass in which so many marks led to
// writes to so many clients.
func (c *cadence) pause(begin, end time.Time, marks, clients int) time.Duration {
	cost := end.Sub(begin)
	if total := end.Sub(c.ended); total > 0 {
		share := min(1, float64(cost)/float64(total))
		c.load += (share - c.load) * min(1, float64(total)/float64(window))
	}
	c.ended = end
	switch {
	case c.most <= 0:
		return 0
	case c.resting:
		c.judge(end, marks, clients)
	case c.load > busyLoad && !end.Before(c.retry):
		c.resting, c.left, c.gain = true, tries, leastGain
	}
	if !c.resting {
		return 0
	}
	return min(restFactor*cost, c.most)
}

// judge ends the rests when they are of no use, or there is no need of them.
func (c *cadence) judge(now time.Time, marks, clients int) {
	if clients > 0 {
		c.gain += (float64(marks)/float64(clients) - c.gain) / 4
	}
	c.left--
	switch {
	case c.left > 0:
	case c.gain < leastGain:
		c.resting = false
		c.wait = min(max(2*c.wait, firstWait), lastWait)
		c.retry = now.Add(c.wait)
	case c.load < idleLoad:
		c.resting = false
	default:
		c.wait = 0
	}
}

// due returns when the next pass is to be made of a shard that was woken or not.
func (c *cadence) due(woken bool) time.Time {
	if woken || c.next.Before(c.rest) {
		return c.rest
	}
	return c.next
}
