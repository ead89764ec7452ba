package socket

import (
	"runtime"
	"testing"
	"time"
)

func TestPause(t *testing.T) {
	const ms = time.Millisecond
	for _, c := range []struct{ cost, most, want time.Duration }{
		{0, 5 * ms, 0},
		{ms - 1, 5 * ms, 0},
		{ms, 5 * ms, 2 * ms},
		{2 * ms, 5 * ms, 4 * ms},
		{3 * ms, 5 * ms, 5 * ms},
		{time.Second, 5 * ms, 5 * ms},
		{3 * ms, 20 * ms, 6 * ms},
		{3 * ms, -1, 0},
	} {
		if got := pause(c.cost, c.most); got != c.want {
			t.Errorf("pause(%v, %v) = %v, want %v", c.cost, c.most, got, c.want)
		}
	}
}

// TestBusyShardRests makes a pass long and looks when the next one comes.
func TestBusyShardRests(t *testing.T) {
	eachDriver(t, func(t *testing.T, o way) {
		for most, rests := range map[time.Duration]bool{0: true, -1: false} {
			o.Cadence = most
			f := newTape(t)
			start(t, f, o)
			shard := f.hub.Shards()[0]
			shortest := time.Hour
			for range 5 {
				ended, next := make(chan time.Time, 1), make(chan time.Time, 1)
				shard.Post(func() {
					for begin := time.Now(); time.Since(begin) < 3*time.Millisecond; {
						runtime.Gosched()
					}
					shard.Post(func() { next <- time.Now() })
					ended <- time.Now()
				})
				end := wait(t, ended, "the long pass")
				shortest = min(shortest, wait(t, next, "the next pass").Sub(end))
			}
			if rests != (shortest >= 5*time.Millisecond) {
				t.Errorf("cadence %v: the next pass came after %v", most, shortest)
			}
		}
	})
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
