package socket

import (
	"testing"
	"time"
)

// drive makes passes of that cost for a second of synthetic time; work says when
// the next one is wanted, and what it has to do after a rest.
func drive(c *cadence, cost time.Duration, every time.Duration, work func(rest time.Duration) (marks, clients int)) (rested time.Duration) {
	now := time.Unix(1000, 0)
	c.ended = now
	rest := time.Duration(0)
	for range 300 {
		marks, clients := work(rest)
		begin := now
		now = now.Add(cost)
		rest = c.pause(begin, now, marks, clients)
		rested += rest
		now = now.Add(max(rest, every-cost))
	}
	return rested
}

func TestCadence(t *testing.T) {
	const ms = time.Millisecond
	same := func(rest time.Duration) (int, int) { return 1000 * (1 + int(rest/ms)), 1000 } // one symbol that all have
	others := func(rest time.Duration) (int, int) { n := 100 * (1 + int(rest/ms)); return n, n }
	for name, c := range map[string]struct {
		most, cost, every time.Duration
		work              func(time.Duration) (int, int)
		least, most2      time.Duration // rest, in 300 passes
	}{
		"busy with the same clients":    {5 * ms, 3 * ms, ms, same, 250 * 5 * ms, 300 * 5 * ms},
		"busy with others each time":    {5 * ms, 3 * ms, ms, others, 0, 30 * 5 * ms},
		"the same clients, time enough": {5 * ms, 3 * ms, 20 * ms, same, 0, 0},
		"no rest wanted":                {-1, 3 * ms, ms, same, 0, 0},
		"short passes":                  {5 * ms, ms / 2, ms / 2, same, 100 * ms, 300 * ms},
	} {
		got := drive(&cadence{most: c.most}, c.cost, c.every, c.work)
		if got < c.least || got > c.most2 {
			t.Errorf("%s: rested %v in 300 passes, want %v to %v", name, got, c.least, c.most2)
		}
	}
}

func TestDue(t *testing.T) {
	now := time.Unix(1000, 0)
	c := cadence{rest: now, next: now.Add(time.Second)}
	if got := c.due(true); !got.Equal(now) {
		t.Errorf("woken: due at %v, want the end of the rest", got)
	}
	if got := c.due(false); !got.Equal(now.Add(time.Second)) {
		t.Errorf("not woken: due at %v, want when the shard asked for it", got)
	}
	c.next = now.Add(-time.Second)
	if got := c.due(false); !got.Equal(now) {
		t.Errorf("late: due at %v, want the end of the rest", got)
	}
	// A shard that has been idle for longer than its rest makes a pass at once.
	if later := now.Add(time.Minute); c.due(true).After(later) {
		t.Error("an idle shard rests")
	}
}
