package fanout_test

import (
	"testing"
	"time"

	"github.com/tapecast/tapecast/charts"
	"github.com/tapecast/tapecast/fanout"
	"github.com/tapecast/tapecast/feed"
)

// TestStaleLaneGivesWhatItHolds: the feeder dies in the middle of a window. Clients
// of merged levels get what the window holds by wall time; and when the tape goes
// on, or they come back elsewhere by their cursor, all tiles.
func TestStaleLaneGivesWhatItHolds(t *testing.T) {
	f := newFixture(t, 1, 2)
	names := []string{"SYM0", "SYM1"}
	r := func() *fanout.Request {
		return &fanout.Request{Set: fanout.Both, Group: fanout.Group{Resolution: fanout.Merged5s}}
	}
	_, early := f.watch(fanout.Events, r())
	for range 200 {
		f.tape.step(100 * time.Millisecond)
	}
	f.ingest()
	f.pass()
	f.now = f.now.Add(2 * time.Second)
	f.hub.Tick()
	f.pass()
	_, late := f.watch(fanout.Events, r())
	if missing := missing(t, f, early, names); missing != "" {
		t.Fatalf("while the lane is stale a client lacks %s", missing)
	}
	_, cursor, _, err := splitEvents(early.got)
	if err != nil {
		t.Fatal(err)
	}
	for range 300 {
		f.tape.step(100 * time.Millisecond)
	}
	f.tape.ts += int64(charts.Minute)
	f.tape.clock()
	f.ingest()
	f.pass()
	at, err := fanout.ParseCursor(cursor)
	if err != nil {
		t.Fatal(err)
	}
	back := r()
	back.Cursor = &at
	_, resumed := f.watch(fanout.Events, back)
	resumed.got = append(append([]byte(nil), untilCursor(t, early.got, cursor)...), resumed.got...)
	for name, socket := range map[string]*simSocket{"who was there": early, "who came while it was stale": late, "who came back": resumed} {
		if missing := missing(t, f, socket, names); missing != "" {
			t.Errorf("a client %s lacks %s", name, missing)
		}
	}
}

// missing checks that what a socket got tiles, and says what it lacks of the tape.
func missing(t *testing.T, f *fixture, s *simSocket, names []string) string {
	t.Helper()
	messages, _, _, err := splitEvents(s.got)
	if err != nil {
		t.Fatal(err)
	}
	check := newTiling()
	for i := range messages {
		if err := check.take(&messages[i]); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range names {
		_, last := check.of(name)
		if *last != *f.tape.seqs[name] {
			return name + " " + feed.Trades.String()
		}
	}
	return ""
}

// untilCursor returns what was got up to the event with that id.
func untilCursor(t *testing.T, got []byte, cursor string) []byte {
	t.Helper()
	end := "id: " + cursor + "\n\n"
	for i := 0; i+len(end) <= len(got); i++ {
		if string(got[i:i+len(end)]) == end {
			return got[:i+len(end)]
		}
	}
	t.Fatal("the cursor is not there")
	return nil
}
