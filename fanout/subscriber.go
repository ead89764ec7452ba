package fanout

import (
	"math/rand/v2"
	"time"

	"github.com/tapecast/tapecast/charts"
)

// Socket is where a subscriber's bytes go. Its methods are called by the shard's
// goroutine and never block.
type Socket interface {
	// Write sends what can be sent at once and returns how much that was; p is
	// the caller's again when it returns. n < len(p) without an error means that
	// the socket is full: the socket then calls Subscriber.Writable once there is
	// room. After an error nothing more is written.
	Write(p []byte) (n int, err error)
	// Close ends the connection. abort: without waiting for what was sent to be
	// received.
	Close(abort bool)
}

// Subscriber is one client: a place in each stream that it watches. Everything
// but Writable, Gone and Do belongs to its shard's goroutine.
type Subscriber struct {
	shard  *Shard
	socket Socket
	form   Form
	done   func() // called once when the shard has let go of it

	slots  []slot
	vacant []int
	byKey  map[slotKey]int // nil while there are few slots

	dirty  []int    // slots with something newer than the flush under way
	flush  []frozen // the flush under way, in order
	sent   int      // how many of flush are done
	target *cut     // where the flush ends; nil: none is under way
	opened bool     // what comes before its first message was written
	begun  bool     // its first message was written

	reached *cut    // where the last whole flush ended
	origin  *Cursor // what it came with, until its first flush ended; nil: none
	also    []Place // up to where it has everything besides; see alsoHas
	trades  *Place  // the same of trades alone; see Cursor.Trades

	rest     []byte // the end of a message whose beginning was sent
	control  []byte // whole messages to send before the next flush
	commands []func()
	wait     *wait // of a poll
	ending   *Bye
	said     bool // the last message was sent, or its beginning

	groups     []group
	trial      *trial // nil: it was not slow yet
	pace       *pace  // nil: no slot is served at its own pace
	acks       *acks  // nil: the client sends none
	dirtySince int64  // since when something is dirty, ns
	flushSince int64  // the same of what the flush under way has, ns
	messages   int32  // in the flush under way, of slots served privately
	bytes      int32  // written since the last flush
	dropSlow   bool   // rather than adapt

	seat      int // in the shard's members
	queued    bool
	blocked   bool
	gone      bool
	stalled   int64 // since when it has taken no byte, ns; 0: it takes them
	heartbeat int64 // when the next one is due, ns
}

// slotKey tells a client's subscriptions apart: one set of ticks and one stream
// per bar interval for each symbol.
type slotKey struct {
	symbol   *Symbol
	interval charts.Interval // 0: ticks
}

// slot is one stream that a subscriber watches.
type slot struct {
	key   slotKey
	watch *watch
	seat  int
	group int      // index in the client's groups
	pos   position // the next byte, once joined
	join  *join    // not nil: still served privately
	dirty bool
}

// frozen is how far a slot goes in a flush: to a byte of its stream, or to a lane
// offset while it is served privately.
type frozen struct {
	slot int
	head int64
}

// Timing of sweeps.
const (
	HeartbeatEvery = 15 * time.Second
	dropAfter      = 30 * time.Second // without taking a byte
)

// mostCommands bounds the commands that wait for a message boundary.
const mostCommands = 256

// NewSubscriber makes a client of the shard. It is to be started by Start. done
// is called once, on the shard's goroutine, after the socket was closed.
func (s *Shard) NewSubscriber(socket Socket, form Form, done func()) *Subscriber {
	return &Subscriber{shard: s, socket: socket, form: form, done: done}
}

// Start brings the subscriber to life on its shard and runs first there. Safe
// from any goroutine; called once.
func (c *Subscriber) Start(first func()) {
	c.shard.Post(func() {
		now := c.shard.hub.now()
		c.reached = c.shard.at.cut
		c.shard.add(c)
		// Heartbeats of many clients are spread over their interval.
		c.heartbeat = now.Add(HeartbeatEvery/2 + rand.N(HeartbeatEvery/2)).UnixNano()
		c.shard.hub.metrics.connected(c.form, 1)
		first()
		c.shard.queue(c)
	})
}

// Writable tells that the socket can take bytes again. Safe from any goroutine.
func (c *Subscriber) Writable() {
	c.shard.Post(func() {
		c.blocked = false
		c.shard.queue(c)
	})
}

// Gone tells that the client has left. Safe from any goroutine, any number of
// times.
func (c *Subscriber) Gone() { c.shard.Post(func() { c.leave(true) }) }

// Do runs f on the shard's goroutine when the subscriber is between two flushes,
// so that what f sends or changes falls at a cut. Safe from any goroutine.
func (c *Subscriber) Do(f func()) {
	c.shard.Post(func() { c.atCut(f) })
}

// atCut is Do on the shard's goroutine.
func (c *Subscriber) atCut(f func()) {
	if c.gone || c.ending != nil {
		return
	}
	if len(c.commands) >= mostCommands {
		c.drop(Bye{Code: "limit", Retry: int64(time.Second), Close: 4101})
		return
	}
	c.commands = append(c.commands, f)
	c.shard.queue(c)
}

// Send queues one whole message that write appends; it gets the cursor of the
// cut. To be called within Do or Start.
func (c *Subscriber) Send(write func(dst []byte, cursor string) []byte) {
	cursor := c.cursor()
	switch c.form {
	case Frames, Event:
		msg := write(nil, cursor)
		c.control = appendFramed(c.control, c.form.framing(), msg, func(dst []byte) []byte { return append(dst, cursor...) })
	case Events:
		c.control = append(c.control, "data: ["...)
		c.control = write(c.control, cursor)
		c.control = c.closeEvent(c.control, cursor)
	case Answer:
	}
	c.shard.queue(c)
}

// SendRaw queues bytes as they are, as a pong frame of a WebSocket. b is copied.
// To be called within Do or Start.
func (c *Subscriber) SendRaw(b []byte) {
	c.control = append(c.control, b...)
	c.shard.queue(c)
}

// End closes the subscriber at the next cut, after a last message. To be called
// within Do or Start.
func (c *Subscriber) End(b Bye) {
	if c.ending == nil {
		c.ending = &b
		c.shard.queue(c)
	}
}

// cursor returns the text of the place up to which the client has everything.
func (c *Subscriber) cursor() string {
	at := c.reached
	if c.target == nil && len(c.dirty) == 0 {
		at = c.shard.at.cut
	}
	return c.textAt(at)
}

// textAt returns the cursor of a cut that the client has reached, at its level.
func (c *Subscriber) textAt(at *cut) string {
	if c.origin != nil {
		return c.origin.String()
	}
	if c.pace != nil && c.pace.slots && (!c.pace.begun || at != c.target) {
		at = c.pace.reached
	}
	level, also := c.cursorLevel(), c.alsoHas()
	if level == Raw && len(also) == 0 && c.trades == nil {
		return at.text()
	}
	// What is said of the client's own level is the last of the places.
	places := Place{Position: c.sure(at.pos), Level: level}.with(also)
	last := len(places) - 1
	return Cursor{Tape: at.tape, Place: places[last], Also: places[:last], Trades: c.trades}.String()
}

// mark notes that a slot has something to send.
func (c *Subscriber) mark(i int) {
	if s := &c.slots[i]; !s.dirty {
		s.dirty = true
		c.dirty = append(c.dirty, i)
		if c.dirtySince == 0 {
			c.dirtySince = c.shard.now
		}
	}
	if c.wait == nil {
		c.shard.queue(c)
	}
}

// sweep drops a client that takes nothing, and sends heartbeats. One that has
// fallen out of the window is found when it takes bytes again, and told.
func (c *Subscriber) sweep(now time.Time) {
	switch {
	case c.blocked && now.UnixNano()-c.stalled >= int64(dropAfter):
		c.drop(Bye{Code: "slow", Retry: int64(time.Second), Close: 4100})
	case c.form != Answer && now.UnixNano() >= c.heartbeat && c.target == nil && !c.blocked:
		c.heartbeat = now.Add(HeartbeatEvery).UnixNano()
		c.Send(func(dst []byte, cursor string) []byte {
			return c.shard.hub.appendHeartbeat(dst, now, cursor)
		})
		c.deliver(now)
	default:
		c.judge(now)
	}
}

// drop closes a client that can't go on, with a last word if it takes one: its
// socket is not full, and it is not within an event of several messages.
func (c *Subscriber) drop(b Bye) {
	if c.gone {
		return
	}
	c.shard.hub.metrics.dropped(b.Code)
	if c.blocked || c.target != nil && c.form != Frames {
		c.leave(true)
		return
	}
	n, err := c.socket.Write(c.rest)
	if err != nil || n < len(c.rest) {
		c.leave(true)
		return
	}
	c.rest, c.control, c.target = nil, nil, nil
	b.Cursor = c.reachedText()
	last := c.appendBye(nil, b)
	n, err = c.socket.Write(last)
	c.leave(err != nil || n < len(last))
}

func (c *Subscriber) reachedText() string {
	return c.textAt(c.reached)
}

// leave lets go of the socket and of every seat.
func (c *Subscriber) leave(abort bool) {
	if c.gone {
		return
	}
	c.gone = true
	for i := range c.slots {
		c.vacate(i)
	}
	c.shard.remove(c)
	c.countGroups(-1)
	c.socket.Close(abort)
	c.shard.hub.metrics.connected(c.form, -1)
	if c.done != nil {
		c.done()
	}
}
