package socket

import (
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tapecast/tapecast/fanout"
)

// onLink runs f with a driver's one link, on its shard's goroutine.
func onLink(t *testing.T, d *Driver, f *tape, g func(l *epoll, c *link)) {
	t.Helper()
	shard := f.hub.Shards()[0]
	started(t, shard, 1)
	of, err := d.loopOf(shard)
	if err != nil {
		t.Fatal(err)
	}
	l, ok := of.(*epoll)
	if !ok {
		t.Fatalf("the loop is a %T", of)
	}
	ran := make(chan struct{})
	shard.Post(func() {
		defer close(ran)
		for _, c := range l.links {
			if c != nil {
				g(l, c)
			}
		}
	})
	wait(t, ran, "a pass")
}

// TestParserIsLent tells who has a parser: a link only while a message is under
// way.
func TestParserIsLent(t *testing.T) {
	f := newTape(t)
	d := start(t, f, way{})
	client, v := connect(t, d, f, fanout.Frames, nil)
	has := func() (parser, pending bool) {
		onLink(t, d, f, func(_ *epoll, c *link) { parser, pending = c.parser != nil, c.pending != nil })
		return parser, pending
	}
	if parser, pending := has(); parser || pending {
		t.Error("a new link has a parser or bytes")
	}
	msg := clientText("a whole message")
	for i := 1; i < len(msg); i++ {
		put(t, client, msg[i-1:i])
		for parser, _ := has(); !parser; parser, _ = has() {
			runtime.Gosched() // until the byte has come
		}
	}
	put(t, client, msg[len(msg)-1:])
	if got := wait(t, v.texts, "the message"); got != "a whole message" {
		t.Errorf("got %q", got)
	}
	if parser, pending := has(); parser || pending {
		t.Error("the parser was not given back")
	}
}

// TestStaleEvent has an event for a link that had the slot before.
func TestStaleEvent(t *testing.T) {
	f := newTape(t)
	d := start(t, f, way{})
	_, v := connect(t, d, f, fanout.Frames, nil)
	onLink(t, d, f, func(l *epoll, c *link) {
		l.events[0] = unix.EpollEvent{Events: unix.EPOLLHUP, Fd: c.slot, Pad: c.generation - 1}
		l.n = 1
		l.handle()
		if c.phase != listening {
			t.Error("another link's end was taken for this one's")
		}
		l.events[0].Pad++
		l.n = 1
		l.handle()
		if c.phase != lost {
			t.Error("its own end was not taken")
		}
	})
	wait(t, v.ended, "the end")
}

// TestNoGoroutines holds many connections with as many goroutines as none.
func TestNoGoroutines(t *testing.T) {
	f := newTape(t)
	d := start(t, f, way{})
	started(t, f.hub.Shards()[0], 0)
	before := settled(t, d)
	for range 200 {
		connect(t, d, f, fanout.Frames, nil)
	}
	started(t, f.hub.Shards()[0], 200)
	if least := goroutines(before.goroutines); least > before.goroutines {
		t.Errorf("%d goroutines before, %d with 200 connections", before.goroutines, least)
	}
}

// counting is a session that only counts messages.
type counting struct {
	quiet
	texts *int
}

func (s counting) Text(*fanout.Subscriber, []byte) func() {
	*s.texts++
	return nil
}

// TestFloodHasTurns drives a shard by hand: a client that sends many messages at
// once gets them through some at a time, so that others have their turn.
func TestFloodHasTurns(t *testing.T) {
	const n = 1000
	f := newTape(t)
	d, err := New(Options{})
	if err != nil {
		t.Fatal(err)
	}
	client, server := pair(t)
	var b []byte
	for range n {
		b = append(b, clientText("x")...)
	}
	put(t, client, b)
	shard, texts := f.hub.Shards()[0], 0
	if err := d.Take(server, b[:70], shard, fanout.Frames, counting{quiet{f.hub}, &texts}); err != nil {
		t.Fatal(err)
	}
	shard.Pass(time.Now())
	want, turns := n+70/len(clientText("x")), 0
	for last := texts; texts < want; turns++ {
		look(t, d, shard)
		if texts-last > messagesAtOnce {
			t.Fatalf("%d messages in a turn", texts-last)
		}
		last = texts
		if turns > 100*n {
			t.Fatalf("%d messages of %d", texts, want)
		}
	}
	if turns < want/messagesAtOnce {
		t.Errorf("%d turns for %d messages", turns, want)
	}
	runToEnd(t, d, f)
}
