package fanout_test

import (
	"errors"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/tapecast/tapecast/charts"
	"github.com/tapecast/tapecast/fanout"
	"github.com/tapecast/tapecast/fanout/wire"
	"github.com/tapecast/tapecast/feed"
)

// fixture is a hub, its tape and one shard.
type fixture struct {
	*simNode
	t   *testing.T
	now time.Time
}

func newFixture(t *testing.T, lanes, symbols int) *fixture {
	tp := newTape(1, lanes, symbols)
	hub, err := fanout.New(fanout.Options{Encoder: wire.JSON{}, From: make(feed.Position, lanes)})
	if err != nil {
		t.Fatal(err)
	}
	f := &fixture{t: t, now: testStart, simNode: &simNode{
		feeder: feeder{tape: tp, hub: hub, rand: rand.New(rand.NewPCG(1, 1)), next: make([]int64, lanes)},
		shard:  hub.Shards()[0],
	}}
	hub.SetClock(func() time.Time { return f.now })
	f.ingest()
	return f
}

func (f *fixture) ingest() {
	f.t.Helper()
	if err := f.all(); err != nil {
		f.t.Fatal(err)
	}
}

// pass publishes what the shard asked for and lets it run.
func (f *fixture) pass() {
	f.shard.Pass(f.now)
	f.hub.Publish()
	f.shard.Pass(f.now)
}

// watch connects a client that takes everything.
func (f *fixture) watch(form fanout.Form, r *fanout.Request) (*fanout.Subscriber, *simSocket) {
	socket := &simSocket{budget: 1 << 30}
	sub := f.shard.NewSubscriber(socket, form, nil)
	if r.Symbols == nil {
		r.Symbols = f.hub.Directory().Symbols
	}
	sub.Start(func() { sub.Subscribe(r) })
	f.pass()
	return sub, socket
}

func TestHubIsReadyWhenEverySymbolIsKeyed(t *testing.T) {
	f := newFixture(t, 3, 5)
	if !f.hub.Ready() {
		t.Error("not ready after a clock and a keyframe of each symbol")
	}
	if got := len(f.hub.Directory().Symbols); got != 5 {
		t.Errorf("%d symbols, want 5", got)
	}
}

func TestAnotherTapeIsRefused(t *testing.T) {
	f := newFixture(t, 1, 1)
	f.tape.add(0, "", feed.Record{Kind: feed.KindClock, Clock: feed.Clock{TS: f.tape.ts, Tape: 42}})
	if err := f.all(); !errors.Is(err, fanout.ErrNewTape) {
		t.Errorf("got %v", err)
	}
}

func TestHolesBecomeGapsAndDuplicatesAreDropped(t *testing.T) {
	f := newFixture(t, 1, 1)
	_, socket := f.watch(fanout.Frames, &fanout.Request{Set: fanout.Both})
	for _, seq := range []uint64{1, 2, 2, 1, 6} {
		f.tape.add(0, "SYM0", feed.Record{Kind: feed.KindTrade, Tick: feed.Tick{
			Kind: feed.KindTrade, Seq: seq, TS: f.tape.ts, Price: 1, Size: 1,
		}})
	}
	f.ingest()
	f.pass()
	messages, _, _, err := splitFrames(socket.got)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, m := range messages {
		got = append(got, m.Type)
	}
	if want := "snapshot trade trade gap trade"; strings.Join(got, " ") != want {
		t.Errorf("got %v, want %s", got, want)
	}
	if gap := messages[3]; *gap.First != 3 || gap.Seq != 5 || gap.Channel != "trades" {
		t.Errorf("gap %+v", gap)
	}
}

func TestPoisonIsSkipped(t *testing.T) {
	f := newFixture(t, 1, 1)
	before := f.next[0]
	b := &fanout.Batch{Records: []fanout.Record{{Offset: before, Poison: true}}, Next: before + 1}
	if err := f.hub.Ingest(b); err != nil {
		t.Fatal(err)
	}
	f.hub.Publish()
	cursor, _ := f.hub.Cut()
	if c, err := fanout.ParseCursor(cursor); err != nil || c.Position[0] != before+1 {
		t.Errorf("the hub is at %+v, %v", c, err)
	}
}

func TestStreamsLingerAndAreDropped(t *testing.T) {
	f := newFixture(t, 1, 1)
	sub, _ := f.watch(fanout.Frames, &fanout.Request{Set: fanout.Both})
	if f.hub.Streams() != 1 {
		t.Fatalf("%d streams while one is watched", f.hub.Streams())
	}
	sub.Gone()
	f.pass()
	f.hub.Tick()
	if f.hub.Streams() != 1 {
		t.Error("the stream did not linger")
	}
	f.now = f.now.Add(31 * time.Second)
	f.hub.Tick()
	if f.hub.Streams() != 0 {
		t.Error("the stream was not dropped")
	}
}

func TestStalledClientIsDropped(t *testing.T) {
	f := newFixture(t, 1, 1)
	socket := &simSocket{}
	sub := f.shard.NewSubscriber(socket, fanout.Frames, nil)
	sub.Start(func() { sub.Subscribe(&fanout.Request{Symbols: f.hub.Directory().Symbols, Set: fanout.Both}) })
	f.pass()
	f.now = f.now.Add(29 * time.Second)
	f.pass()
	if socket.closed {
		t.Error("dropped before its time")
	}
	f.now = f.now.Add(2 * time.Second)
	f.pass()
	if !socket.closed {
		t.Error("a client that takes no byte was not dropped")
	}
}

// TestClientOutOfTheWindowIsDropped lets a client lag by more than the ring, of a
// tape that is faster than the shard judges its clients.
func TestClientOutOfTheWindowIsDropped(t *testing.T) {
	f := newFixture(t, 1, 1)
	slow := &simSocket{budget: 1000}
	sub := f.shard.NewSubscriber(slow, fanout.Frames, nil)
	sub.Start(func() { sub.Subscribe(&fanout.Request{Symbols: f.hub.Directory().Symbols, Set: fanout.Both}) })
	_, fast := f.watch(fanout.Frames, &fanout.Request{Set: fanout.Both})
	for range 200 {
		for range 50 {
			f.tape.step(100 * time.Millisecond)
		}
		f.now = f.now.Add(time.Millisecond)
		f.ingest()
		f.pass()
	}
	slow.budget = 1 << 20
	sub.Writable()
	f.pass()
	if !slow.closed || fast.closed {
		t.Errorf("slow client closed: %v, fast client closed: %v", slow.closed, fast.closed)
	}
	late, _, _, err := splitFrames(slow.got)
	if err != nil {
		t.Fatal(err)
	}
	if last := late[len(late)-1]; last.Type != "bye" || last.Code != "slow" || last.Cursor == "" {
		t.Errorf("the slow client's last message is %+v", last)
	}
	check := newTiling()
	messages, _, _, err := splitFrames(fast.got)
	if err != nil {
		t.Fatal(err)
	}
	for i := range messages {
		if err := check.take(&messages[i]); err != nil {
			t.Fatal(err)
		}
	}
}

// TestResumeOlderThanTheRingIsAGap checks that what can't be had is told.
func TestResumeOlderThanTheRingIsAGap(t *testing.T) {
	f := newFixture(t, 1, 1)
	for range 4000 {
		f.tape.step(100 * time.Millisecond)
	}
	f.ingest()
	known := [feed.Channels]bool{true, true, true}
	since := map[string]fanout.Since{"SYM0": {Seq: [feed.Channels]uint64{3, 2, 0}, Known: known}}
	old := fanout.Cursor{Tape: testTape, Place: fanout.Place{Position: feed.Position{10}}}
	for name, r := range map[string]*fanout.Request{
		"since":       {Set: fanout.Both, Cursor: &old, Since: since},
		"cursor only": {Set: fanout.Both, Cursor: &old},
	} {
		t.Run(name, func(t *testing.T) {
			_, socket := f.watch(fanout.Frames, r)
			check := newTiling()
			for c := range feed.Channels {
				k, last := check.of("SYM0")
				k[c], last[c] = r.Since != nil, since["SYM0"].Seq[c]
			}
			messages, _, _, err := splitFrames(socket.got)
			if err != nil {
				t.Fatal(err)
			}
			for i := range messages {
				if err := check.take(&messages[i]); err != nil {
					t.Fatal(err)
				}
			}
			_, last := check.of("SYM0")
			if check.gaps != 3 || *last != *f.tape.seqs["SYM0"] {
				t.Errorf("%d gaps, ends at %v of %v", check.gaps, *last, *f.tape.seqs["SYM0"])
			}
		})
	}
}

// TestLiveBarsEqualHistory holds the final bars that a client got against the
// symbol's history and the tape.
func TestLiveBarsEqualHistory(t *testing.T) {
	f := newFixture(t, 2, 3)
	_, socket := f.watch(fanout.Frames, &fanout.Request{Bars: []charts.Interval{charts.Minute, charts.FiveMinutes}})
	for range 300 {
		for range 20 {
			f.tape.step(200 * time.Millisecond)
		}
		f.tape.clock()
		f.ingest()
		f.pass()
	}
	messages, _, _, err := splitFrames(socket.got)
	if err != nil {
		t.Fatal(err)
	}
	finals := 0
	for i := range messages {
		m := &messages[i]
		if m.Type != "bar" || !m.Final {
			continue
		}
		finals++
		interval, _ := charts.ParseInterval(m.I)
		stored, open := f.hub.Directory().Lookup(m.Sym).Bars(nil, interval, m.TS*1000, m.TS*1000+1, 1)
		if len(stored) != 1 || open {
			t.Fatalf("%s %s %d: history has %d bars, open %v", m.Sym, m.I, m.TS, len(stored), open)
		}
		want := f.tape.sum(m.Sym, stored[0].First-1, stored[0].Seq)
		if stored[0].Digest != want.Digest || stored[0].Turnover != want.Turnover || stored[0].Low != want.Low {
			t.Errorf("%s %s: history %+v, the tape has %+v", m.Sym, m.I, stored[0].Bar, want)
		}
		live := wire.JSON{}.Bar(nil, f.hub.Directory().Lookup(m.Sym).State().Instrument, &stored[0], true)
		if !strings.Contains(string(socket.got), string(live)) {
			t.Errorf("live bar differs from history %s", live)
		}
	}
	if finals < 30 {
		t.Errorf("only %d final bars", finals)
	}
}

// TestPollMergesWhatIsOverTheLimit checks length and sums of a poll that was
// away for long.
func TestPollMergesWhatIsOverTheLimit(t *testing.T) {
	f := newFixture(t, 2, 3)
	start, _ := f.hub.Cut()
	for range 3000 {
		f.tape.step(10 * time.Millisecond)
	}
	f.ingest()
	from, err := fanout.ParseCursor(start)
	if err != nil {
		t.Fatal(err)
	}
	socket := &simSocket{budget: 1 << 30}
	sub := f.shard.NewSubscriber(socket, fanout.Answer, nil)
	sub.Start(func() {
		sub.Subscribe(&fanout.Request{Symbols: f.hub.Directory().Symbols, Set: fanout.TradesOnly, Cursor: &from})
		sub.Answer(0, 200)
	})
	f.pass()
	if !socket.closed {
		t.Fatal("not answered")
	}
	messages, next, _, err := splitAnswer(socket.got)
	if err != nil {
		t.Fatal(err)
	}
	check := newTiling()
	for i := range messages {
		if err := check.take(&messages[i]); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range f.tape.symbols {
		got, want := check.sums[name], f.tape.sum(name, 0, f.tape.seqs[name][feed.Trades])
		if got.Digest != want.Digest || got.Volume != want.Volume || got.High != want.High || got.Low != want.Low {
			t.Errorf("%s: got %+v, want %+v", name, got, want)
		}
	}
	if at, _ := f.hub.Cut(); next != at {
		t.Errorf("next is %q, the head is %q", next, at)
	}
}

// TestSetsChangeWithoutAHole narrows and widens a running subscription.
func TestSetsChangeWithoutAHole(t *testing.T) {
	f := newFixture(t, 2, 3)
	sub, socket := f.watch(fanout.Frames, &fanout.Request{Set: fanout.Both})
	for i := range 300 {
		for range 10 {
			f.tape.step(20 * time.Millisecond)
		}
		set := []fanout.Set{fanout.Both, fanout.TradesOnly}[i%2]
		sub.Do(func() { sub.Subscribe(&fanout.Request{Symbols: f.hub.Directory().Symbols, Set: set}) })
		f.ingest()
		f.shard.Pass(f.now)
		if i%2 == 0 {
			f.pass()
		}
	}
	f.pass()
	f.pass()
	messages, _, _, err := splitFrames(socket.got)
	if err != nil {
		t.Fatal(err)
	}
	check := newTiling()
	for i := range messages {
		if messages[i].Type == "quote" {
			continue // it was not asked for all the time
		}
		if err := check.take(&messages[i]); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range f.tape.symbols {
		_, last := check.of(name)
		if last[feed.Trades] != f.tape.seqs[name][feed.Trades] {
			t.Errorf("%s: ends at trade %d of %d", name, last[feed.Trades], f.tape.seqs[name][feed.Trades])
		}
	}
}

// TestWhatRetentionTookIsAGapOfThatReason tells it from what was never there.
func TestWhatRetentionTookIsAGapOfThatReason(t *testing.T) {
	f := newFixture(t, 1, 1)
	_, socket := f.watch(fanout.Frames, &fanout.Request{Set: fanout.Both})
	trade := func(seq uint64, skipped bool) {
		f.tape.add(0, "SYM0", feed.Record{Kind: feed.KindTrade, Tick: feed.Tick{
			Kind: feed.KindTrade, Seq: seq, TS: f.tape.ts, Price: 1, Size: 1,
		}})
		b := f.batch(0, 1)
		b.Skipped = skipped
		if err := f.hub.Ingest(b); err != nil {
			t.Fatal(err)
		}
		f.hub.Publish()
		f.pass()
	}
	trade(1, false)
	trade(5, true)
	trade(6, false)
	trade(9, false)
	for _, want := range []string{
		`"channel":"trades","first":2,"seq":4,"reason":"retention"`, `"channel":"trades","first":7,"seq":8,"reason":"source"`,
	} {
		if !strings.Contains(string(socket.got), want) {
			t.Errorf("no gap %s", want)
		}
	}
}

// TestOpenBarComesAtTheJoin joins and resumes while nothing trades.
func TestOpenBarComesAtTheJoin(t *testing.T) {
	f := newFixture(t, 1, 1)
	minute := []charts.Interval{charts.Minute}
	empty, _ := f.hub.Cut()
	f.tape.add(0, "SYM0", feed.Record{Kind: feed.KindTrade, Tick: feed.Tick{
		Kind: feed.KindTrade, Seq: 1, TS: f.tape.ts, Price: 10_000, Size: 7,
	}})
	f.ingest()
	traded, _ := f.hub.Cut()
	for name, c := range map[string]struct {
		cursor string
		want   int
	}{
		"from now":                   {"", 1},
		"from before the trade":      {empty, 1},
		"from after the trade: none": {traded, 0},
	} {
		r := &fanout.Request{Bars: minute}
		if c.cursor != "" {
			cursor, err := fanout.ParseCursor(c.cursor)
			if err != nil {
				t.Fatal(err)
			}
			r.Cursor = &cursor
		}
		_, socket := f.watch(fanout.Frames, r)
		if got := strings.Count(string(socket.got), `"type":"bar"`); got != c.want {
			t.Errorf("%s: %d open bars, want %d", name, got, c.want)
		}
	}
}
