package socket

import (
	"time"

	"github.com/tapecast/tapecast/fanout"
)

// busy is the cost of a pass from which on passes are spaced.
const busy = time.Millisecond

// pause returns how long a shard rests after a pass that has cost so much, most
// at the longest. A write costs nearly the same whatever its length, so passes
// that come less often and find more are the one big saving there is; but a
// shard whose passes are short has time for all of them.
func pause(cost, most time.Duration) time.Duration {
	if cost < busy {
		return 0
	}
	return max(0, min(2*cost, most))
}

// cadence says when a shard's next pass is due.
type cadence struct {
	most time.Duration // Options.Cadence
	rest time.Time     // no pass before
	next time.Time     // when the shard wants one, woken or not
}

// pass makes a pass, and returns the time after it.
func (c *cadence) pass(s *fanout.Shard, now time.Time) time.Time {
	c.next = s.Pass(now)
	end := time.Now()
	c.rest = end.Add(pause(end.Sub(now), c.most))
	return end
}

// due returns when the next pass is to be made of a shard that was woken or not.
func (c *cadence) due(woken bool) time.Time {
	if woken || c.next.Before(c.rest) {
		return c.rest
	}
	return c.next
}
