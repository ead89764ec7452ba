package fanout_test

import (
	"testing"
	"time"

	"github.com/tapecast/tapecast/fanout"
	"github.com/tapecast/tapecast/feed"
)

// acking connects a client whose socket takes everything, as a proxy's does, and that
// acknowledges once a second.
func (f *fixture) acking(resolution fanout.Level) *reader {
	r := f.join(fast, &fanout.Request{Set: fanout.Both, Group: fanout.Group{Resolution: resolution}})
	r.acks, r.delay = true, 2*step
	return r
}

// TestAcksShowWhatAProxyHides has a client behind a buffer fall behind and recover.
func TestAcksShowWhatAProxyHides(t *testing.T) {
	f := newFixture(t, 1, 2)
	r, mute := f.acking(fanout.Raw), f.join(fast, &fanout.Request{Set: fanout.Both})
	f.live(20*time.Second, 100, r, mute)
	r.expect()
	r.delay = 12 * time.Second
	f.live(time.Minute, 100, r, mute)
	down := []string{
		" raw 250ms slow", " 250ms 250ms slow", " 1s 1s slow", " 5s 5s slow", " paced paced slow",
	}
	r.expect(down...)
	r.delay = 2 * step
	f.live(2*time.Minute, 100, r, mute)
	r.expect(append(down,
		" 5s 5s recovered", " 1s 1s recovered", " 250ms 250ms recovered", " raw 250ms recovered", " raw raw recovered")...)
	mute.expect()
	r.whole()
}

// TestPromptClientsAreLeftAlone has clients acknowledge once a second, at any phase of
// the shard's own second, at all resolutions: none is slow for that.
func TestPromptClientsAreLeftAlone(t *testing.T) {
	for _, resolution := range shared() {
		f := newFixture(t, 1, 2)
		var readers []*reader
		for phase := range 10 {
			r := f.acking(resolution)
			r.next = f.now.Add(time.Duration(phase) * time.Second / 10)
			readers = append(readers, r)
		}
		f.live(90*time.Second, 100, readers...)
		for phase, r := range readers {
			if len(r.told) > 0 || r.tiling.gaps > 0 {
				t.Errorf("%v, phase %d: told %q", resolution, phase, r.told)
			}
		}
	}
}

// TestPromptClientRecoversAtAnyPhase lets clients be slow for a while by their sockets.
func TestPromptClientRecoversAtAnyPhase(t *testing.T) {
	f := newFixture(t, 1, 1)
	var readers []*reader
	for phase := range 10 {
		r := f.acking(fanout.Raw)
		r.next = f.now.Add(time.Duration(phase) * time.Second / 10)
		readers = append(readers, r)
	}
	f.live(5*time.Second, 100, readers...)
	for _, r := range readers {
		r.throttle(1000)
	}
	f.live(10*time.Second, 100, readers...)
	for _, r := range readers {
		r.throttle(fast)
	}
	f.live(100*time.Second, 100, readers...)
	for phase, r := range readers {
		if n := len(r.told); n < 2 || r.told[n-1] != " raw raw recovered" {
			t.Errorf("phase %d: told %q", phase, r.told)
		}
	}
}

// TestQuietSymbolIsNotSlow has a symbol trade every 20 s, and then be halted: a client
// that has acknowledged all there was is not late.
func TestQuietSymbolIsNotSlow(t *testing.T) {
	for _, resolution := range shared() {
		f := newFixture(t, 1, 1)
		r := f.acking(resolution)
		for range 6 {
			f.tape.tick("SYM0", feed.KindTrade)
			f.live(20*time.Second, 0, r)
		}
		// The client does not acknowledge what has no trade or quote.
		f.tape.tick("SYM0", feed.KindStatus)
		f.live(20*time.Second, 0, r)
		if len(r.told) > 0 {
			t.Errorf("%v: told %q", resolution, r.told)
		}
		if r.seen["trade"] != 6 || r.seen["status"] == 0 {
			t.Errorf("%v: got %v", resolution, r.seen)
		}
	}
}
