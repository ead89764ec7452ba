package fanout_test

import (
	"testing"
	"time"

	"github.com/tapecast/tapecast/fanout"
)

// total is how many messages a reader has of ticks, and of what is never merged.
func (r *reader) total() int {
	n := 0
	for _, kind := range []string{"trade", "agg", "quote", "merged quote", "status", "cancel", "gap"} {
		n += r.seen[kind]
	}
	return n
}

// TestLimits holds clients to a bound of messages or bytes: over a minute they get no
// more than that and one flush, and each symbol in time.
func TestLimits(t *testing.T) {
	const symbols, minute = 10, 60
	for _, c := range []struct{ rate, bytes int }{{1, 0}, {5, 0}, {50, 0}, {0, 300}, {0, 5000}, {20, 1000}, {1000, 1 << 20}} {
		f := newFixture(t, 2, symbols)
		r := f.join(fast, &fanout.Request{Set: fanout.Both})
		r.sub.Do(func() { r.sub.Limit(c.rate, c.bytes) })
		f.live(5*time.Second, 200, r) // the snapshots
		had, hadBytes := r.total(), r.bytes
		f.live(minute*time.Second, 200, r)
		const flush, flushBytes = 2*symbols + 2, 2 * symbols * 220
		if got := r.total() - had; c.rate > 0 && got > c.rate*minute+flush || got == 0 {
			t.Errorf("max_rate %d: %d messages in a minute", c.rate, got)
		}
		if got := r.bytes - hadBytes; c.bytes > 0 && got > c.bytes*minute+flushBytes {
			t.Errorf("max_bytes %d: %d bytes in a minute", c.bytes, got)
		}
		for name, most := range r.most {
			if most > 30*time.Second {
				t.Errorf("%+v: %s was silent for %v", c, name, most)
			}
		}
		if len(r.most) != symbols {
			t.Errorf("%+v: only %d symbols came twice", c, len(r.most))
		}
		r.expect() // it is as asked, not slow
		f.live(40*time.Second, 0, r)
		r.whole()
	}
}

// TestLimitChangesLive bounds a client that runs, changes the bound and lifts it.
func TestLimitChangesLive(t *testing.T) {
	f := newFixture(t, 2, 5)
	r := f.join(fast, &fanout.Request{Set: fanout.Both})
	for _, c := range []struct{ rate, least, most int }{
		{0, 1900, 2100},
		{10, 40, 110},
		{50, 300, 510},
		{2, 1, 30},
		// What the bound had kept back comes too.
		{0, 1900, 4200},
		{5, 20, 60},
		{0, 1900, 4200},
	} {
		r.sub.Do(func() { r.sub.Limit(c.rate, 0) })
		had := r.total()
		f.live(10*time.Second, 200, r)
		if got := r.total() - had; got < c.least || got > c.most {
			t.Errorf("max_rate %d: %d messages in ten seconds, want %d to %d", c.rate, got, c.least, c.most)
		}
	}
	r.whole()
	r.expect()
}

// TestLimitIsNoFinerThanTheResolution has a bound that would allow more than the
// resolution.
func TestLimitIsNoFinerThanTheResolution(t *testing.T) {
	for _, resolution := range []fanout.Level{fanout.Merged250ms, fanout.Merged1s, fanout.Merged5s} {
		f := newFixture(t, 1, 1)
		r := f.join(fast, &fanout.Request{Set: fanout.TradesOnly, Group: fanout.Group{Resolution: resolution}})
		r.sub.Do(func() { r.sub.Limit(1_000_000, 0) })
		f.live(time.Minute, 100, r)
		// Two messages of a flush are apart by a minute of the tape or a status.
		flushes := 1
		for i := 1; i < len(r.ticks); i++ {
			if r.ticks[i] == r.ticks[i-1] {
				continue
			}
			flushes++
			if apart := r.ticks[i] - r.ticks[i-1]; apart < time.Duration(resolution.Window()) {
				t.Errorf("%v: two flushes %v apart", resolution, apart)
			}
		}
		if want := int(time.Minute / time.Duration(resolution.Window())); flushes < want/2 {
			t.Errorf("%v: only %d flushes in a minute", resolution, flushes)
		}
		r.whole()
	}
}
