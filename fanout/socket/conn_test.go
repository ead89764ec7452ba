package socket

import (
	"errors"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tapecast/tapecast/fanout"
)

// clientText is a client's text message; the first byte of frame says so.
func clientText(s string) []byte { return frame(0x81, s) }

func clientClose(code uint16, reason string) []byte { return frame(0x88, closing(code, reason)) }

func put(t *testing.T, w io.Writer, b []byte) {
	t.Helper()
	if _, err := w.Write(b); err != nil {
		t.Fatal(err)
	}
}

// wait fails the test if an event does not come.
func wait[T any](t *testing.T, c <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(10 * time.Second):
		t.Fatalf("%s: nothing in 10 s", what)
		panic("unreachable")
	}
}

func TestSnapshotAndLive(t *testing.T) {
	f := newTape(t)
	d := start(t, f, Options{})
	client, _ := connect(t, d, f, fanout.Frames, nil)
	in := newFrames(t, client)
	in.until("snapshot")
	for range 100 {
		f.trades(3)
	}
	for seq := uint64(1); seq <= 300; seq++ {
		if m := in.until("trade"); m.Seq != seq {
			t.Fatalf("got trade %d, want %d", m.Seq, seq)
		}
	}
}

// TestSlowReader has a client that reads nothing while far more than all buffers
// hold is published: its socket fills, and when it reads everything is there, in
// order.
func TestSlowReader(t *testing.T) {
	const n = 20_000
	f := newTape(t)
	d := start(t, f, Options{})
	client, v := connect(t, d, f, fanout.Frames, nil)
	wait(t, v.started, "start")
	f.trades(n) // one batch, so that there is no cut before its end
	// The pass that runs the first of two posts delivers all that is published, or
	// as much as the socket takes, before the second is run.
	for range 2 {
		ran := make(chan struct{})
		f.hub.Shards()[0].Post(func() { close(ran) })
		wait(t, ran, "a pass")
	}
	// A command is run at a cut, which the client can't reach.
	put(t, client, clientText("waits"))
	select {
	case <-v.texts:
		t.Fatal("the socket was never full: the test shows nothing")
	case <-time.After(50 * time.Millisecond):
	}
	in := newFrames(t, client)
	for seq := uint64(1); seq <= n; seq++ {
		if m := in.until("trade"); m.Seq != seq {
			t.Fatalf("got trade %d, want %d", m.Seq, seq)
		}
	}
	wait(t, v.texts, "the command")
}

// TestStalled drives the shard by hand: a client that takes no byte is reset
// after 30 s, not before.
func TestStalled(t *testing.T) {
	const n = 20_000
	f := newTape(t)
	d, err := New(Options{})
	if err != nil {
		t.Fatal(err)
	}
	shard := f.hub.Shards()[0]
	client, v := connect(t, d, f, fanout.Frames, nil)
	other, w := connect(t, d, f, fanout.Frames, nil)
	now := time.Now()
	pass := func(after time.Duration) { shard.Pass(now.Add(after)) }
	pass(0)
	<-v.started
	<-w.started
	f.hub.Publish()
	pass(0)
	caughtUp := make(chan struct{})
	go func() {
		defer close(caughtUp)
		in := newFrames(t, other)
		for seq := uint64(0); seq < n; {
			seq = in.until("trade").Seq
		}
	}()
	for range n / 100 {
		f.trades(100)
		pass(0)
	}
	for open := true; open; {
		select {
		case <-caughtUp:
			open = false
		case <-time.After(time.Millisecond): // gives the reader time; the shard's time stands still
			pass(0)
		}
	}
	for s := 1; s < 30; s++ {
		pass(time.Duration(s) * time.Second)
		if shard.Members() != 2 {
			t.Fatalf("%d members after %d s", shard.Members(), s)
		}
	}
	pass(30*time.Second + time.Millisecond)
	pass(31*time.Second + time.Millisecond)
	wait(t, v.ended, "the end")
	if shard.Members() != 1 {
		t.Errorf("%d members, want the one that reads", shard.Members())
	}
	if _, err := io.Copy(io.Discard, client); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the stalled client got %v, want a reset", err)
	}
	// The loop of Run ends the other one and waits for all goroutines.
	runToEnd(t, d, f)
	wait(t, w.ended, "the other's end")
}

func TestCloseHandshake(t *testing.T) {
	f := newTape(t)
	d := start(t, f, Options{})
	for name, c := range map[string]struct {
		in   []byte
		code uint16
	}{
		"normal":   {clientClose(1000, "done"), 1000},
		"own code": {clientClose(4000, ""), 4000},
		"empty":    {frame(0x88, ""), 1000},
	} {
		client, v := connect(t, d, f, fanout.Frames, nil)
		in := newFrames(t, client)
		in.until("snapshot")
		put(t, client, c.in)
		in.end(c.code)
		client.Close()
		wait(t, v.ended, name)
	}
}

func TestViolationSaysBye(t *testing.T) {
	f := newTape(t)
	d := start(t, f, Options{MaxMessage: 1000})
	for name, c := range map[string]struct {
		in   []byte
		code uint16
	}{
		"unmasked":  {[]byte{0x81, 0x01, 'a'}, 1002},
		"binary":    {frame(0x82, "a"), 1003},
		"not UTF-8": {clientText("\xff"), 1007},
		"too long":  {clientText(strings.Repeat("x", 1001)), 1009},
	} {
		t.Run(name, func(t *testing.T) {
			client, v := connect(t, d, f, fanout.Frames, nil)
			in := newFrames(t, client)
			in.until("snapshot")
			put(t, client, c.in)
			if m := in.until("bye"); m.Code != "bad_request" {
				t.Errorf("code %q", m.Code)
			}
			in.end(c.code)
			wait(t, v.ended, "the end")
		})
	}
}

func TestPingIsAnswered(t *testing.T) {
	f := newTape(t)
	d := start(t, f, Options{})
	client, _ := connect(t, d, f, fanout.Frames, nil)
	in := newFrames(t, client)
	in.until("snapshot")
	put(t, client, frame(0x89, "are you there"))
	op, payload, err := in.next()
	if err != nil || op != opPong || string(payload) != "are you there" {
		t.Fatalf("op %x %q: %v", op, payload, err)
	}
}

// TestEarlyBytes gives the driver what a client sent right behind its handshake,
// cut in the middle of a message.
func TestEarlyBytes(t *testing.T) {
	f := newTape(t)
	d := start(t, f, Options{})
	b := append(clientText("one"), clientText("two")...)
	client, v := connect(t, d, f, fanout.Frames, b[:12])
	put(t, client, b[12:])
	for _, want := range []string{"one", "two"} {
		if got := wait(t, v.texts, want); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	// Both are answered, in the same order.
	in := newFrames(t, client)
	in.until("echo")
	in.until("echo")
}

// TestLastBytesArrive ends a client that has sent what was never read: what it
// was sent arrives all the same.
func TestLastBytesArrive(t *testing.T) {
	f := newTape(t)
	d := start(t, f, Options{})
	client, v := connect(t, d, f, fanout.Event, nil)
	c := wait(t, v.started, "start")
	f.trades(50)
	put(t, client, []byte("nobody reads this"))
	// What is run at a cut goes before the flush that follows it.
	flushing := make(chan struct{})
	c.Do(func() { close(flushing) })
	wait(t, flushing, "the flush")
	c.Do(func() { c.End(fanout.Bye{Code: "draining", Close: 1012}) })
	wait(t, v.ended, "the end")
	put(t, client, []byte("nor this"))
	all, err := io.ReadAll(client)
	if err != nil {
		t.Fatalf("after %d bytes: %v", len(all), err)
	}
	if s := string(all); !strings.Contains(s, `"seq":50`) || !strings.Contains(s[strings.LastIndex(s, "data:"):], `"type":"bye"`) {
		t.Errorf("the end is missing: %q", s[max(0, len(s)-300):])
	}
}

func TestPeerVanishes(t *testing.T) {
	f := newTape(t)
	d := start(t, f, Options{})
	for name, leave := range map[string]func(*net.TCPConn) error{
		"FIN":        func(c *net.TCPConn) error { return c.Close() },
		"half-close": (*net.TCPConn).CloseWrite,
		"RST":        func(c *net.TCPConn) error { return errors.Join(c.SetLinger(0), c.Close()) },
	} {
		for _, form := range []fanout.Form{fanout.Frames, fanout.Events} {
			client, v := connect(t, d, f, form, nil)
			wait(t, v.started, "start")
			if err := leave(client); err != nil {
				t.Fatal(err)
			}
			wait(t, v.ended, name)
		}
	}
}
