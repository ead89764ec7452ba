package socket

import (
	"bufio"
	"errors"
	"io"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tapecast/tapecast/fanout"
)

// clientText is a client's text message; the first byte of frame says so.
func clientText(s string) []byte { return frame(0x81, s) }

func clientClose(code uint16, reason string) []byte { return frame(0x88, closeWith(code, reason)) }

func put(t *testing.T, w io.Writer, b []byte) {
	t.Helper()
	if _, err := w.Write(b); err != nil {
		t.Fatal(err)
	}
}

// wait fails the test if an event does not come.
func wait[T any](t testing.TB, c <-chan T, what string) T {
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
	eachDriver(t, func(t *testing.T, o way) {
		f := newTape(t)
		d := start(t, f, o)
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
	})
}

// TestSlowReader has a client that reads nothing while far more than all buffers
// hold is published: its socket fills, and when it reads everything is there, in
// order.
func TestSlowReader(t *testing.T) {
	eachDriver(t, func(t *testing.T, o way) {
		const n = 20_000
		f := newTape(t)
		d := start(t, f, o)
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
		for next := uint64(1); next <= n; {
			switch m := in.message(); {
			case m.Type == "trade" && m.Seq == next, m.Type == "agg" && m.First == next:
				next = m.Seq + 1
			case m.Type == "trade", m.Type == "agg":
				t.Fatalf("got %+v, want trade %d", m, next)
			}
		}
		wait(t, v.texts, "the command")
	})
}

// TestStalled drives the shard by hand: a client that takes no byte is reset
// after 30 s, not before.
func TestStalled(t *testing.T) {
	eachDriver(t, func(t *testing.T, o way) {
		const n = 20_000
		f := newTape(t)
		d := newDriver(t, f, o)
		shard := f.hub.Shards()[0]
		client, v := connect(t, d, f, fanout.Frames, nil)
		other, w := connect(t, d, f, fanout.Frames, nil)
		now := time.Now()
		pass := func(after time.Duration) {
			look(t, d, shard)
			shard.Pass(now.Add(after))
		}
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
	})
}

func TestPingIsAnswered(t *testing.T) {
	eachDriver(t, func(t *testing.T, o way) {
		f := newTape(t)
		d := start(t, f, o)
		client, _ := connect(t, d, f, fanout.Frames, nil)
		in := newFrames(t, client)
		in.until("snapshot")
		put(t, client, frame(0x89, "are you there"))
		op, payload, err := in.next()
		if err != nil || op != opPong || string(payload) != "are you there" {
			t.Fatalf("op %x %q: %v", op, payload, err)
		}
	})
}

// TestEarlyBytes gives the driver what a client sent right behind its handshake,
// cut in the middle of a message.
func TestEarlyBytes(t *testing.T) {
	eachDriver(t, func(t *testing.T, o way) {
		f := newTape(t)
		d := start(t, f, o)
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
	})
}

// TestManyAtOnce has a client send far more commands than it reads answers of,
// in one go: all are carried out, in order, each in its turn.
func TestManyAtOnce(t *testing.T) {
	const n = 5_000
	eachDriver(t, func(t *testing.T, o way) {
		f := newTape(t)
		d := start(t, f, o)
		client, v := connect(t, d, f, fanout.Frames, nil)
		sent := make(chan error, 1)
		go func() {
			var b []byte
			for i := range n {
				b = append(b, clientText(strconv.Itoa(i))...)
			}
			_, err := client.Write(b)
			sent <- err
		}()
		in := newFrames(t, client)
		for i := range n {
			if got := wait(t, v.texts, "a command"); got != strconv.Itoa(i) {
				t.Fatalf("got %q, want %d", got, i)
			}
			in.until("echo")
		}
		if err := <-sent; err != nil {
			t.Error(err)
		}
	})
}

// TestChatter has a client of events that sends what nobody wants, more than any
// buffer: it is dropped, and the events go on.
func TestChatter(t *testing.T) {
	eachDriver(t, func(t *testing.T, o way) {
		f := newTape(t)
		d := start(t, f, o)
		client, v := connect(t, d, f, fanout.Event, nil)
		wait(t, v.started, "start")
		put(t, client, make([]byte, 16<<20))
		f.trades(1)
		in := bufio.NewScanner(client)
		for in.Scan() {
			if strings.Contains(in.Text(), `"type":"trade"`) {
				return
			}
		}
		t.Errorf("the events ended: %v", in.Err())
	})
}

// TestUnsent asks how much a client that reads nothing has not acknowledged.
func TestUnsent(t *testing.T) {
	eachDriver(t, func(t *testing.T, o way) {
		f := newTape(t)
		d := start(t, f, o)
		connect(t, d, f, fanout.Frames, nil)
		s, ok := onlySocket(t, d, f.hub.Shards()[0]).(interface{ Unsent() int })
		if !ok {
			t.Fatal("the socket does not tell")
		}
		f.trades(20_000)
		var last int
		for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); {
			n := make(chan int, 1)
			f.hub.Shards()[0].Post(func() { n <- s.Unsent() })
			if last = wait(t, n, "the answer"); !hasEpoll || last >= 1000 {
				break
			}
		}
		if hasEpoll && last < 1000 || !hasEpoll && last != -1 {
			t.Errorf("%d bytes", last)
		}
	})
}
