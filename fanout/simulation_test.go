package fanout_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"github.com/tapecast/tapecast/charts"
	"github.com/tapecast/tapecast/fanout"
	"github.com/tapecast/tapecast/fanout/wire"
	"github.com/tapecast/tapecast/feed"
)

// simSocket takes as many bytes as its budget allows.
type simSocket struct {
	budget int
	got    []byte
	full   bool
	closed bool
}

func (s *simSocket) Write(p []byte) (int, error) {
	if s.closed {
		return 0, errors.New("closed")
	}
	n := min(len(p), s.budget)
	s.budget -= n
	s.got = append(s.got, p[:n]...)
	s.full = n < len(p)
	return n, nil
}

func (s *simSocket) Close(bool) { s.closed = true }

// simClient is a client that comes back for ever, on any transport and hub.
type simClient struct {
	tiling *tiling
	set    fanout.Set
	bars   []charts.Interval
	names  []string
	cursor string
	stale  bool // it has more than its cursor says
	limit  int
	merged bool // it asked for a merged resolution
	lazy   int  // it reads every so many steps
	acks   bool // it acknowledges what it reads

	node   *simNode
	form   fanout.Form
	socket *simSocket
	sub    *fanout.Subscriber
}

// simNode is a hub and its one shard.
type simNode struct {
	feeder
	shard *fanout.Shard
}

type simulation struct {
	t        *testing.T
	rand     *rand.Rand
	tape     *tape
	nodes    []*simNode
	clients  []*simClient
	now      time.Time
	wall     int64          // how much wall time a step takes at the most, ns
	finest   fanout.Level   // no client asks for a finer one
	whole    bool           // the hubs keep everything
	settling bool           // clients come back without a limit
	seen     map[string]int // what happened, by kind
}

func newSimulation(t *testing.T, seed uint64, faults fanout.Faults) *simulation {
	s := &simulation{
		t: t, rand: rand.New(rand.NewPCG(seed, 2)), now: testStart,
		tape: newTape(seed, 1+int(seed%3), 1+int(seed%5)),
		wall: int64(100 * time.Millisecond), seen: map[string]int{},
	}
	if seed%2 == 1 {
		s.wall = int64(time.Second) // there is time to be adapted
	}
	for range 2 {
		hub, err := fanout.New(fanout.Options{
			Encoder: wire.JSON{}, From: make(feed.Position, len(s.tape.lanes)), Faults: faults, Window: s.window(seed),
		})
		if err != nil {
			t.Fatal(err)
		}
		hub.SetClock(func() time.Time { return s.now })
		n := &simNode{feeder: feeder{tape: s.tape, hub: hub, rand: s.rand, next: make([]int64, len(s.tape.lanes))}}
		n.shard = hub.Shards()[0]
		if err := n.all(); err != nil {
			t.Fatal(err)
		}
		s.nodes = append(s.nodes, n)
	}
	for i := range 6 {
		s.clients = append(s.clients, s.newClient(i))
	}
	return s
}

// window returns how much a hub keeps: mostly all there is, else so little that slow
// clients have gaps.
func (s *simulation) window(seed uint64) time.Duration {
	s.whole = seed%4 > 0
	if s.whole {
		return time.Hour
	}
	return time.Minute
}

func (s *simulation) newClient(i int) *simClient {
	c := &simClient{tiling: newTiling(), set: []fanout.Set{fanout.Both, fanout.TradesOnly, fanout.QuotesOnly}[i%3], limit: 1 + s.rand.IntN(200)}
	if i%2 == 0 {
		c.bars = []charts.Interval{charts.Second, charts.Minute}
	}
	c.names = s.tape.symbols
	if i == 5 {
		c.names, c.bars = s.tape.symbols[:1], nil
	}
	return c
}

// connect begins a connection of a random kind at a random node.
func (s *simulation) connect(c *simClient) {
	if c.stale {
		// A WebSocket's cursor is as old as its last reply: since spares it the
		// ticks that it has, but bars come again.
		clear(c.tiling.finals)
	}
	last := c.node
	c.node = s.nodes[s.rand.IntN(len(s.nodes))]
	c.socket = &simSocket{}
	c.form = []fanout.Form{fanout.Frames, fanout.Events, fanout.Answer}[s.rand.IntN(3)]
	if len(c.names) == 1 && len(c.bars) == 0 && c.form == fanout.Events {
		c.form = fanout.Event
	}
	if last != nil {
		s.seen[fmt.Sprint("back by ", forms()[c.form])]++
		if last != c.node {
			s.seen["back at another node"]++
		}
	}
	c.sub = c.node.shard.NewSubscriber(c.socket, c.form, nil)
	r := &fanout.Request{Set: c.set, Bars: c.bars, Group: s.group("")}
	c.merged = r.Group.Resolution != fanout.Raw
	c.lazy = 1 + s.rand.IntN(20)
	c.acks = c.form == fanout.Frames && s.rand.IntN(3) == 0
	rate, drop := s.rate(), s.rand.IntN(20) == 0
	for _, name := range c.names {
		r.Symbols = append(r.Symbols, c.node.hub.Directory().Lookup(name))
	}
	if c.cursor != "" {
		cursor, err := fanout.ParseCursor(c.cursor)
		if err != nil {
			s.t.Fatal(err)
		}
		r.Cursor = &cursor
		if c.stale || c.form == fanout.Frames || s.rand.IntN(2) == 0 {
			r.Since = c.since()
		}
	}
	patience := time.Duration(s.rand.IntN(2)) * time.Second
	c.sub.Start(func() {
		for _, r := range s.groups(c, r) {
			c.sub.Subscribe(r)
		}
		if c.form != fanout.Answer {
			c.sub.Limit(rate, 0)
			c.sub.OnSlow(drop)
		}
		if c.form == fanout.Answer {
			c.sub.Answer(patience, c.limit)
			return
		}
		c.sub.Send(func(dst []byte, cursor string) []byte {
			return wire.Subscription{Type: "subscribed", Cursor: cursor}.Append(dst)
		})
	})
}

// group returns a group of a random resolution.
func (s *simulation) group(id string) fanout.Group {
	resolutions := []fanout.Level{fanout.Raw, fanout.Raw, fanout.Merged100ms, fanout.Merged250ms, fanout.Merged1s, fanout.Merged5s}
	return fanout.Group{ID: id, Resolution: max(s.finest, resolutions[s.rand.IntN(len(resolutions))]), Priority: s.rand.IntN(2)}
}

// rate returns a random bound of messages/s, often none.
func (s *simulation) rate() int {
	if s.settling {
		return 0
	}
	rate := s.rand.IntN(4) * s.rand.IntN(100)
	if rate > 0 {
		s.seen["limit"]++
	}
	return rate
}

// groups makes two requests of one, sometimes, of a WebSocket's.
func (s *simulation) groups(c *simClient, r *fanout.Request) []*fanout.Request {
	if c.form != fanout.Frames || len(r.Symbols) < 2 || s.rand.IntN(3) > 0 {
		return []*fanout.Request{r}
	}
	s.seen["two groups"]++
	other := *r
	other.Group = s.group("other")
	c.merged = c.merged || other.Group.Resolution != fanout.Raw
	n := 1 + s.rand.IntN(len(r.Symbols)-1)
	r.Symbols, other.Symbols = r.Symbols[:n:n], r.Symbols[n:]
	return []*fanout.Request{r, &other}
}

func (c *simClient) since() map[string]fanout.Since {
	since := map[string]fanout.Since{}
	for _, name := range c.names {
		known, last := c.tiling.of(name)
		since[name] = fanout.Since{Seq: *last, Known: *known}
	}
	return since
}

// read takes in what the socket got.
func (s *simulation) read(c *simClient) error {
	splits := map[fanout.Form]split{
		fanout.Frames: splitFrames, fanout.Event: splitEvents, fanout.Events: splitEvents, fanout.Answer: splitAnswer,
	}
	messages, id, rest, err := splits[c.form](c.socket.got)
	if err != nil {
		return err
	}
	c.socket.got = rest
	c.stale = c.stale || c.form == fanout.Frames && len(messages) > 0
	for i := range messages {
		m := &messages[i]
		s.seen[m.kind()]++
		if m.Trades == fanout.Paced.String() {
			s.seen["paced"]++
		}
		if err := c.tiling.take(m); err != nil {
			return fmt.Errorf("%v: %w", c.form, err)
		}
		if c.form == fanout.Frames && m.Cursor != "" {
			c.cursor = m.Cursor
		}
		if m.ticks() && c.acks {
			s.seen["ack"]++
			sub, ts := c.sub, m.TS
			sub.Do(func() { sub.Ack(ts) })
		}
	}
	if id != "" && id != c.cursor {
		// At a merged level a client that said by since what it has may have more than
		// that level has sent, and goes on saying so.
		c.cursor, c.stale = id, c.stale && (c.merged || s.ahead(c, id))
	}
	return nil
}

// ahead reports whether the client has more than its cursor says.
func (s *simulation) ahead(c *simClient, id string) bool {
	cursor, err := fanout.ParseCursor(id)
	if err != nil {
		return true
	}
	for _, name := range c.names {
		_, last := c.tiling.of(name)
		lane := s.tape.lane(name)
		for offset := cursor.Position[lane]; offset < int64(len(s.tape.lanes[lane])); offset++ {
			r := &s.tape.lanes[lane][offset]
			if r.Symbol == name && r.Kind != feed.KindKeyframe && r.Tick.Seq <= last[r.Kind.Channel()] {
				return true
			}
		}
	}
	return false
}

// step lets a client do something random.
func (s *simulation) step(c *simClient) error {
	if c.sub == nil {
		s.connect(c)
	}
	if c.form == fanout.Frames && s.rand.IntN(20) == 0 {
		sub, level := c.sub, s.group("").Resolution
		id := []string{"", "other"}[s.rand.IntN(2)]
		sub.Do(func() { sub.Resolve(id, level) })
	}
	if c.form == fanout.Frames && s.rand.IntN(50) == 0 {
		sub, rate := c.sub, s.rate()
		sub.Do(func() { sub.Limit(rate, 0) })
	}
	if s.rand.IntN(c.lazy) == 0 {
		c.socket.budget += s.rand.IntN(3000)
		if c.socket.full {
			c.socket.full = false
			c.sub.Writable()
		}
	}
	c.node.shard.Pass(s.now)
	if err := s.read(c); err != nil {
		return err
	}
	if c.socket.closed || s.rand.IntN(100) == 0 {
		c.sub.Gone()
		c.node.shard.Pass(s.now)
		c.sub = nil
	}
	return nil
}

// run does a number of random steps, then lets everything arrive.
func (s *simulation) run(steps int) error {
	for range steps {
		for range s.rand.IntN(40) {
			s.tape.step(100 * time.Millisecond)
		}
		s.now = s.now.Add(time.Duration(s.rand.Int64N(s.wall)))
		if s.rand.IntN(3) == 0 {
			s.tape.clock()
		}
		for _, n := range s.nodes {
			if err := n.feed(30); err != nil {
				return err
			}
		}
		for _, c := range s.clients {
			if err := s.step(c); err != nil {
				return err
			}
		}
	}
	return s.settle()
}

func (s *simulation) settle() error {
	s.settling = true
	for _, symbol := range s.tape.symbols {
		// Who lost the connection before the snapshot gets to know all channels now.
		for _, kind := range []feed.Kind{feed.KindTrade, feed.KindQuote, feed.KindStatus} {
			s.tape.tick(symbol, kind)
		}
	}
	for _, c := range s.clients {
		if c.sub != nil {
			sub := c.sub
			sub.Do(func() { sub.Limit(0, 0) })
		}
	}
	for range 12 {
		s.now = s.now.Add(5 * time.Second)
		s.tape.ts += int64(2 * time.Second)
		s.tape.clock()
		for _, n := range s.nodes {
			if err := n.all(); err != nil {
				return err
			}
		}
		for _, c := range s.clients {
			if c.sub == nil || c.socket.closed {
				s.connect(c)
			}
			c.socket.budget = 1 << 30
			c.sub.Writable()
			c.node.shard.Pass(s.now)
			c.node.hub.Publish()
			c.node.shard.Pass(s.now.Add(4 * time.Second))
			if err := s.read(c); err != nil {
				return err
			}
		}
	}
	return s.compare()
}

// compare holds what each client has against the tape.
func (s *simulation) compare() error {
	for i, c := range s.clients {
		for _, name := range c.names {
			_, last := c.tiling.of(name)
			truth := s.tape.seqs[name]
			if c.set&fanout.TradesOnly != 0 {
				want := s.tape.sum(name, c.tiling.from[name], truth[feed.Trades])
				got := c.tiling.sums[name]
				want.T0, want.TS, got.T0, got.TS = 0, 0, 0, 0
				if got != want && c.tiling.gaps == 0 {
					return fmt.Errorf("client %d %s: sums %+v, the tape has %+v", i, name, got, want)
				}
				if last[feed.Trades] != truth[feed.Trades] {
					return fmt.Errorf("client %d %s: ends at trade %d of %d", i, name, last[feed.Trades], truth[feed.Trades])
				}
			}
			if c.set&fanout.QuotesOnly != 0 && last[feed.Quotes] != truth[feed.Quotes] {
				return fmt.Errorf("client %d %s: ends at quote %d of %d", i, name, last[feed.Quotes], truth[feed.Quotes])
			}
			if last[feed.Statuses] != truth[feed.Statuses] {
				return fmt.Errorf("client %d %s: ends at status %d of %d", i, name, last[feed.Statuses], truth[feed.Statuses])
			}
		}
		if c.tiling.gaps > 0 && s.whole {
			return fmt.Errorf("client %d: %d gaps", i, c.tiling.gaps)
		}
	}
	return nil
}

// forms are the names of the forms.
func forms() []string { return []string{"websocket", "sse of one stream", "sse", "poll"} }

// kind tells messages apart that the simulation counts.
func (m *message) kind() string {
	switch {
	case m.Type == "resolution":
		return "resolution " + m.Reason
	case m.Type == "bye":
		return "bye " + m.Code
	case m.Type == "quote" && m.First != nil:
		return "merged quote"
	default:
		return m.Type
	}
}

// ticks reports whether the message is of trades or quotes.
func (m *message) ticks() bool { return m.Type == "trade" || m.Type == "quote" || m.Type == "agg" }

// kinds are all that has to happen in the simulation.
func kinds() []string {
	all := []string{
		"snapshot", "trade", "quote", "agg", "merged quote", "status", "cancel", "bar", "gap", "subscribed",
		"resolution slow", "resolution recovered", "resolution asked", "bye slow", "limit", "paced", "two groups", "ack", "back at another node",
	}
	for _, form := range forms() {
		all = append(all, "back by "+form)
	}
	return all
}

// TestEveryClientTiles drives subscribers with random budgets, disconnects,
// resolutions and reconnects on another transport and hub. TAPECAST_FULL=1 makes it
// ten thousand long runs.
func TestEveryClientTiles(t *testing.T) {
	runs, longest := 100, 100
	if os.Getenv("TAPECAST_FULL") != "" {
		runs, longest = 10_000, 200
	}
	seen := map[string]int{}
	for seed := range uint64(runs) {
		s := newSimulation(t, seed, fanout.Faults{})
		s.seen = seen
		if err := s.run(20 + s.rand.IntN(longest-20+1)); err != nil {
			t.Errorf("seed %d: %v", seed, err)
		}
	}
	t.Logf("%d runs: %v", runs, seen)
	for _, kind := range kinds() {
		if seen[kind] == 0 {
			t.Errorf("%q did not happen", kind)
		}
	}
}

// TestBrokenHubIsFound shows that the simulation finds what it is there for, and
// that it does so where all clients ask for merges too.
func TestBrokenHubIsFound(t *testing.T) {
	for name, faults := range map[string]fanout.Faults{
		"a lost tick":   {LoseEvery: 1000},
		"a lost volume": {LoseVolume: true},
		"a lost low":    {LoseLow: true},
	} {
		for _, finest := range []fanout.Level{fanout.Raw, fanout.Merged100ms, fanout.Merged1s} {
			t.Run(name+" from "+finest.String(), func(t *testing.T) {
				for seed := range uint64(50) {
					s := newSimulation(t, seed, faults)
					s.finest = finest
					if err := s.run(60); err != nil {
						t.Logf("seed %d: %v", seed, err)
						return
					}
				}
				t.Error("the simulation finds nothing")
			})
		}
	}
}
