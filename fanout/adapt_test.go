package fanout_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tapecast/tapecast/fanout"
)

// TestSlowClientGoesDownAndUpAgain throttles a client until nothing but its own pace
// is left, and lets it run again. Nobody else is told anything.
func TestSlowClientGoesDownAndUpAgain(t *testing.T) {
	f := newFixture(t, 1, 1)
	slow, other := f.join(fast, &fanout.Request{Set: fanout.Both}), f.join(fast, &fanout.Request{Set: fanout.Both})
	f.live(3*time.Second, 100, slow, other)
	slow.expect()
	slow.throttle(30)
	f.live(3*time.Minute, 100, slow, other)
	down := []string{
		" raw 250ms slow", " 250ms 250ms slow", " 1s 1s slow", " 5s 5s slow", " paced paced slow",
	}
	slow.expect(down...)
	slow.throttle(fast)
	f.live(90*time.Second, 100, slow, other)
	slow.expect(append(down,
		" 5s 5s recovered", " 1s 1s recovered", " 250ms 250ms recovered", " raw 250ms recovered", " raw raw recovered")...)
	slow.whole()
	other.whole()
	other.expect()
	truth := f.tape.seqs["SYM0"]
	if got := uint64(other.seen["trade"] + other.seen["quote"]); got != truth[0]+truth[1] || other.seen["agg"]+other.seen["merged quote"] > 0 {
		t.Errorf("the fast one has %v of %v", other.seen, truth)
	}
	if slow.seen["agg"] == 0 || slow.seen["merged quote"] == 0 || slow.bytes > other.bytes/2 {
		t.Errorf("the slow one has %v, %d of %d bytes", slow.seen, slow.bytes, other.bytes)
	}
}

// TestNeverFinerThanAsked lets a client be slow that asked for 250ms.
func TestNeverFinerThanAsked(t *testing.T) {
	f := newFixture(t, 2, 3)
	r := f.join(fast, &fanout.Request{Set: fanout.Both, Group: fanout.Group{ID: "g", Resolution: fanout.Merged250ms}})
	f.live(time.Minute, 100, r)
	r.expect()
	r.throttle(100)
	f.live(20*time.Second, 100, r)
	if len(r.told) == 0 || r.told[0] != "g 1s 1s slow" {
		t.Errorf("told %q", r.told)
	}
	r.throttle(fast)
	f.live(4*time.Minute, 100, r)
	if last := r.told[len(r.told)-1]; last != "g 250ms 250ms recovered" || slices.Contains(r.told, "g raw 250ms recovered") {
		t.Errorf("told %q", r.told)
	}
	r.whole()
	// Single trades are those of windows that have one.
	if r.seen["agg"] < r.seen["trade"] {
		t.Errorf("%v", r.seen)
	}
}

// TestPatienceGrows has a client that can take quotes of 250ms but not all: each time
// that more was too much it is left in peace for longer.
func TestPatienceGrows(t *testing.T) {
	f := newFixture(t, 1, 1)
	r := f.join(2500, &fanout.Request{Set: fanout.TradesOnly})
	f.live(12*time.Minute, 100, r)
	var rests []time.Duration
	for i := 1; i < len(r.told); i++ {
		if strings.HasSuffix(r.told[i], "recovered") && strings.HasSuffix(r.told[i-1], "slow") {
			rests = append(rests, (r.when[i] - r.when[i-1]).Round(time.Second))
		}
	}
	if len(rests) < 5 {
		t.Fatalf("moved up %d times: %q at %v", len(rests), r.told, r.when)
	}
	const longest = 160 * time.Second
	for i := 1; i < len(rests); i++ {
		if want := min(2*rests[i-1], longest); rests[i] < want-3*time.Second || rests[i] > longest+5*time.Second {
			t.Errorf("it was left in peace for %v", rests)
			break
		}
	}
	t.Logf("%v", rests)
}

// TestSlowDrop has clients that would rather be dropped than get less.
func TestSlowDrop(t *testing.T) {
	f := newFixture(t, 1, 1)
	full, late := f.join(fast, &fanout.Request{Set: fanout.Both}), f.join(fast, &fanout.Request{Set: fanout.Both})
	for _, r := range []*reader{full, late} {
		r.sub.Do(func() { r.sub.OnSlow(true) })
	}
	late.acks = true
	f.live(5*time.Second, 100, full, late)
	full.throttle(1000)
	late.delay = 20 * time.Second
	f.live(10*time.Second, 100, full, late)
	full.expect()
	late.expect()
	if !full.socket.closed || !late.socket.closed {
		t.Errorf("the one with a full socket was dropped: %v, the late one: %v", full.socket.closed, late.socket.closed)
	}
	// A socket that is full takes no last word.
	if len(late.byes) != 1 || late.byes[0].Code != "slow" || late.byes[0].Cursor == "" {
		t.Errorf("last words %+v", late.byes)
	}
}

// TestGroupsGoDownInOrder checks which group a slow client loses first: the quotes of
// all, then the rest of what matters less.
func TestGroupsGoDownInOrder(t *testing.T) {
	f := newFixture(t, 1, 2)
	symbols := f.hub.Directory().Symbols
	r := f.join(fast,
		&fanout.Request{Symbols: symbols[:1], Set: fanout.Both, Group: fanout.Group{ID: "high", Priority: 5}},
		&fanout.Request{Symbols: symbols[1:], Set: fanout.Both, Group: fanout.Group{ID: "low"}},
	)
	r.throttle(60)
	f.live(4*time.Minute, 200, r)
	want := []string{
		"low raw 250ms slow", "high raw 250ms slow",
		"low 250ms 250ms slow", "low 1s 1s slow", "low 5s 5s slow", "low paced paced slow",
		"high 250ms 250ms slow", "high 1s 1s slow",
	}
	if len(r.told) < len(want) || !slices.Equal(r.told[:len(want)], want) {
		t.Errorf("told %q\nwant %q", r.told, want)
	}
	r.throttle(fast)
	f.live(4*time.Minute, 200, r)
	if last := r.told[len(r.told)-1]; last != "low raw raw recovered" {
		t.Errorf("told %q", r.told)
	}
	r.whole()
}

// TestTradesAreKeptLongerThanQuotes has a group of trades alone, that matters more
// than another one's quotes, and than its trades.
func TestTradesAreKeptLongerThanQuotes(t *testing.T) {
	f := newFixture(t, 1, 2)
	symbols := f.hub.Directory().Symbols
	r := f.join(200,
		&fanout.Request{Symbols: symbols[:1], Set: fanout.TradesOnly, Group: fanout.Group{ID: "high", Priority: 5}},
		&fanout.Request{Symbols: symbols[1:], Set: fanout.Both, Group: fanout.Group{ID: "low"}},
	)
	f.live(time.Minute, 200, r)
	want := []string{"low raw 250ms slow", "low 250ms 250ms slow", "low 1s 1s slow", "low 5s 5s slow"}
	if len(r.told) < len(want) || !slices.Equal(r.told[:len(want)], want) {
		t.Errorf("told %q\nwant %q", r.told, want)
	}
}

// TestStalledClientCostsNothing lets ten thousand ticks pass a client that takes no
// byte.
func TestStalledClientCostsNothing(t *testing.T) {
	f := newFixture(t, 1, 3)
	r := f.join(fast, &fanout.Request{Set: fanout.Both})
	f.live(time.Second, 500, r)
	r.rate, r.socket.budget = 0, 300
	f.live(5*time.Second, 500, r)
	before := r.sub.Held()
	f.live(20*time.Second, 500, r)
	if after := r.sub.Held(); after != before || before > 16<<10 {
		t.Errorf("held %d bytes, after ten thousand ticks %d", before, after)
	}
	if r.socket.closed {
		t.Error("it was dropped too early to tell")
	}
}
