package fanout_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
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
	whole    bool // the hubs keep everything
	settling bool // clients come back without a limit
}

func newSimulation(t *testing.T, seed uint64, faults fanout.Faults) *simulation {
	s := &simulation{
		t: t, rand: rand.New(rand.NewPCG(seed, 2)), now: testStart,
		tape: newTape(seed, 1+int(seed%3), 1+int(seed%5)),
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
	c.node = s.nodes[s.rand.IntN(len(s.nodes))]
	c.socket = &simSocket{}
	c.form = []fanout.Form{fanout.Frames, fanout.Events, fanout.Answer}[s.rand.IntN(3)]
	if len(c.names) == 1 && len(c.bars) == 0 && c.form == fanout.Events {
		c.form = fanout.Event
	}
	c.sub = c.node.shard.NewSubscriber(c.socket, c.form, nil)
	resolutions := []fanout.Level{fanout.Raw, fanout.Raw, fanout.Merged100ms, fanout.Merged250ms, fanout.Merged1s, fanout.Merged5s}
	r := &fanout.Request{Set: c.set, Bars: c.bars, Group: fanout.Group{Resolution: resolutions[s.rand.IntN(len(resolutions))]}}
	c.merged = r.Group.Resolution != fanout.Raw
	c.lazy = 1 + s.rand.IntN(20)
	rate := s.rand.IntN(4) * s.rand.IntN(100)
	if s.settling {
		rate = 0
	}
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
		c.sub.Subscribe(r)
		if c.form != fanout.Answer {
			c.sub.Limit(rate, 0)
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
		if err := c.tiling.take(m); err != nil {
			return fmt.Errorf("%v: %w", c.form, err)
		}
		if c.form == fanout.Frames && m.Cursor != "" {
			c.cursor = m.Cursor
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
		sub, level := c.sub, []fanout.Level{fanout.Raw, fanout.Merged250ms, fanout.Merged5s}[s.rand.IntN(3)]
		sub.Do(func() { sub.Resolve("", level) })
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
		s.now = s.now.Add(time.Duration(s.rand.IntN(100)) * time.Millisecond)
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

// TestEveryClientTiles drives subscribers with random budgets, disconnects and
// reconnects on another transport and hub.
func TestEveryClientTiles(t *testing.T) {
	for seed := range uint64(100) {
		if err := newSimulation(t, seed, fanout.Faults{}).run(60); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
	}
}

// TestBrokenHubIsFound shows that the simulation finds what it is there for.
func TestBrokenHubIsFound(t *testing.T) {
	for name, faults := range map[string]fanout.Faults{
		"a lost tick":   {LoseEvery: 1000},
		"a lost volume": {LoseVolume: true},
		"a lost low":    {LoseLow: true},
	} {
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(50) {
				if err := newSimulation(t, seed, faults).run(60); err != nil {
					t.Log(err)
					return
				}
			}
			t.Error("the simulation finds nothing")
		})
	}
}
