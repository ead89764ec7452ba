package fanout_test

import (
	"fmt"
	"slices"
	"time"

	"github.com/tapecast/tapecast/fanout"
	"github.com/tapecast/tapecast/feed"
)

// reader is a WebSocket client whose socket takes so many bytes a second.
type reader struct {
	f      *fixture
	sub    *fanout.Subscriber
	socket *simSocket
	set    fanout.Set
	rate   int // bytes/s
	owed   int // bytes·ns of that
	tiling *tiling
	told   []string             // its levels, each time: group, trades, quotes, reason
	when   []time.Duration      // when it was told, since testStart
	seen   map[string]int       // messages by type
	ticks  []time.Duration      // when messages of ticks came
	last   map[string]time.Time // when the last of each symbol came
	most   map[string]time.Duration
	bytes  int
	byes   []message

	acks  bool          // it acknowledges what it gets,
	delay time.Duration // so much later,
	every time.Duration // and so often
	next  time.Time     // when it acknowledges the next time
	got   []arrival     // not acknowledged yet
}

// arrival is a message of that tape time, µs UTC, and when it came.
type arrival struct {
	at time.Time
	ts int64
}

const fast = 100 << 20 // bytes/s

// join connects a reader with its groups.
func (f *fixture) join(rate int, requests ...*fanout.Request) *reader {
	r := &reader{
		f: f, socket: &simSocket{}, rate: rate, tiling: newTiling(), seen: map[string]int{},
		last: map[string]time.Time{}, most: map[string]time.Duration{}, every: time.Second,
	}
	r.sub = f.shard.NewSubscriber(r.socket, fanout.Frames, nil)
	r.sub.Start(func() {
		for _, q := range requests {
			if q.Symbols == nil {
				q.Symbols = f.hub.Directory().Symbols
			}
			r.set |= q.Set
			r.sub.Subscribe(q)
		}
	})
	f.pass()
	return r
}

// step is how much time passes at once.
const step = 20 * time.Millisecond

// live lets time pass for the tape, with so many ticks a second, and its readers.
func (f *fixture) live(d time.Duration, perSecond int, readers ...*reader) {
	f.t.Helper()
	ticks := 0
	for range d / step {
		for ticks += perSecond; ticks >= int(time.Second/step); ticks -= int(time.Second / step) {
			symbols := f.tape.symbols
			f.tape.tick(symbols[f.rand.IntN(len(symbols))], []feed.Kind{feed.KindTrade, feed.KindQuote}[f.rand.IntN(2)])
		}
		if f.rand.IntN(1000) == 0 {
			// Not many: they are never merged.
			f.tape.tick(f.tape.symbols[0], feed.KindStatus)
		}
		f.tape.ts += int64(step)
		f.now = f.now.Add(step)
		f.tape.clock()
		f.ingest()
		for _, r := range readers {
			r.refill()
		}
		f.pass()
		for _, r := range readers {
			r.read()
		}
	}
}

// throttle changes how many bytes the socket takes.
func (r *reader) throttle(rate int) { r.rate, r.socket.budget = rate, min(r.socket.budget, rate) }

// refill lets the socket take what it takes in a step.
func (r *reader) refill() {
	r.owed += r.rate * int(step)
	r.socket.budget = min(r.socket.budget+r.owed/int(time.Second), r.rate/5+50) // what a small buffer holds
	r.owed %= int(time.Second)
	if r.socket.full && r.socket.budget > 0 {
		r.socket.full = false
		r.sub.Writable()
	}
}

// read takes in what the socket got, and acknowledges what is due.
func (r *reader) read() {
	r.f.t.Helper()
	messages, _, rest, err := splitFrames(r.socket.got)
	if err != nil {
		r.f.t.Fatal(err)
	}
	r.bytes += len(r.socket.got) - len(rest)
	r.socket.got = rest
	for i := range messages {
		r.take(&messages[i])
	}
	r.acknowledge()
}

func (r *reader) take(m *message) {
	r.f.t.Helper()
	if err := r.tiling.take(m); err != nil {
		r.f.t.Fatalf("%v: %v", r.f.now.Sub(testStart), err)
	}
	r.seen[m.kind()]++
	switch {
	case m.Type == "resolution":
		r.told = append(r.told, fmt.Sprint(m.ID, " ", m.Trades, " ", m.Quotes, " ", m.Reason))
		r.when = append(r.when, r.f.now.Sub(testStart))
	case m.Type == "bye":
		r.byes = append(r.byes, *m)
	case m.ticks():
		r.got = append(r.got, arrival{at: r.f.now, ts: m.TS})
		r.ticks = append(r.ticks, r.f.now.Sub(testStart))
		if last, some := r.last[m.Sym]; some {
			r.most[m.Sym] = max(r.most[m.Sym], r.f.now.Sub(last))
		}
		r.last[m.Sym] = r.f.now
	}
}

func (r *reader) acknowledge() {
	n := 0
	for n < len(r.got) && r.f.now.Sub(r.got[n].at) >= r.delay {
		n++
	}
	if !r.acks {
		r.got = r.got[:0]
	}
	if !r.acks || n == 0 || r.f.now.Before(r.next) {
		return
	}
	ts := int64(0)
	for _, a := range r.got[:n] {
		ts = max(ts, a.ts)
	}
	r.got = slices.Delete(r.got, 0, n)
	r.next = r.f.now.Add(r.every)
	r.sub.Do(func() { r.sub.Ack(ts) })
}

// whole holds what the reader has against the tape, once it has all.
func (r *reader) whole() {
	r.f.t.Helper()
	r.f.live(6*time.Second, 0, r)
	for _, name := range r.f.tape.symbols {
		truth := r.f.tape.seqs[name]
		known, last := r.tiling.of(name)
		for c, set := range []fanout.Set{fanout.TradesOnly, fanout.QuotesOnly} {
			if r.set&set != 0 && (!known[c] || last[c] != truth[c]) {
				r.f.t.Errorf("%s: ends at %v of %v", name, *last, *truth)
			}
		}
		if r.set&fanout.TradesOnly == 0 {
			continue
		}
		want, got := r.f.tape.sum(name, r.tiling.from[name], truth[feed.Trades]), r.tiling.sums[name]
		want.T0, want.TS, got.T0, got.TS = 0, 0, 0, 0
		if got != want {
			r.f.t.Errorf("%s: sums %+v, the tape has %+v", name, got, want)
		}
	}
	if r.tiling.gaps > 0 {
		r.f.t.Errorf("%d gaps", r.tiling.gaps)
	}
}

// expect compares what the reader was told with what it should have been told.
func (r *reader) expect(told ...string) {
	r.f.t.Helper()
	if !slices.Equal(r.told, told) {
		r.f.t.Errorf("told %q\nwant %q", r.told, told)
	}
}
