package socket

import (
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tapecast/tapecast/fanout"
)

func TestCloseHandshake(t *testing.T) {
	eachDriver(t, func(t *testing.T, o way) {
		f := newTape(t)
		d := start(t, f, o)
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
	})
}

// TestLastWordsAfterHalfClose has a client say good-bye and end its side at once:
// it is answered all the same.
func TestLastWordsAfterHalfClose(t *testing.T) {
	eachDriver(t, func(t *testing.T, o way) {
		f := newTape(t)
		d := start(t, f, o)
		for range 50 {
			client, v := connect(t, d, f, fanout.Frames, nil)
			put(t, client, clientClose(1000, ""))
			if err := client.CloseWrite(); err != nil {
				t.Fatal(err)
			}
			if got := newFrames(t, client).untilClose(); got != 1000 {
				t.Errorf("closed with %d", got)
			}
			wait(t, v.ended, "the end")
		}
	})
}

func TestViolationSaysBye(t *testing.T) {
	eachDriver(t, func(t *testing.T, o way) {
		f := newTape(t)
		o.MaxMessage = 1000
		d := start(t, f, o)
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
	})
}

// TestLastBytesArrive ends a client that has sent what was never read: what it
// was sent arrives all the same.
func TestLastBytesArrive(t *testing.T) {
	eachDriver(t, func(t *testing.T, o way) {
		f := newTape(t)
		d := start(t, f, o)
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
	})
}

func TestPeerVanishes(t *testing.T) {
	eachDriver(t, func(t *testing.T, o way) {
		f := newTape(t)
		d := start(t, f, o)
		for name, leave := range map[string]func(*peer) error{
			"in order":   (*peer).Close,
			"half-close": (*peer).CloseWrite,
			"FIN":        func(c *peer) error { return c.tcp.Close() },
			"RST":        (*peer).reset,
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
	})
}

// TestConversations holds what RFC 6455 says against whole connections: the
// answer to each case is messages, pongs, or a close frame with the right code.
func TestConversations(t *testing.T) {
	eachDriver(t, func(t *testing.T, o way) {
		f := newTape(t)
		o.MaxMessage = 1000
		d := start(t, f, o)
		for name, c := range cases() {
			t.Run(name, func(t *testing.T) {
				client, v := connect(t, d, f, fanout.Frames, nil)
				in := newFrames(t, client)
				in.until("snapshot")
				for _, b := range c.in {
					put(t, client, b)
				}
				if want := max(c.code, c.close); want != 0 {
					if got := in.untilClose(); got != want {
						t.Errorf("closed with %d, want %d", got, want)
					}
					client.Close()
					wait(t, v.ended, "the end")
					return
				}
				// This one's answer comes after those of the case.
				put(t, client, frame(0x89, "last"))
				var pings []string
				for len(pings) == 0 || pings[len(pings)-1] != "last" {
					op, payload, err := in.next()
					if err != nil {
						t.Fatal(err)
					}
					if op == opPong {
						pings = append(pings, string(payload))
					}
				}
				if got := strings.Join(pings[:len(pings)-1], "|"); got != c.pings {
					t.Errorf("pongs %q, want %q", got, c.pings)
				}
				var texts []string
				for len(v.texts) > 0 {
					texts = append(texts, <-v.texts)
				}
				if got := strings.Join(texts, "|"); got != c.texts {
					t.Errorf("texts %q, want %q", got, c.texts)
				}
			})
		}
	})
}

// TestVanishedIsNoticed tells how long it takes until the end of a client is
// known, on an idle connection of each transport.
func TestVanishedIsNoticed(t *testing.T) {
	eachDriver(t, func(t *testing.T, o way) {
		f := newTape(t)
		d := start(t, f, o)
		for name, leave := range map[string]func(*peer) error{"FIN": (*peer).Close, "RST": (*peer).reset} {
			for _, form := range []fanout.Form{fanout.Frames, fanout.Event} {
				var took []time.Duration
				for range 50 {
					client, v := connect(t, d, f, form, nil)
					wait(t, v.started, "start")
					if _, err := client.Read(make([]byte, 1<<12)); err != nil {
						t.Fatal(err)
					}
					begin := time.Now()
					if err := leave(client); err != nil {
						t.Fatal(err)
					}
					wait(t, v.ended, name)
					took = append(took, time.Since(begin))
				}
				slices.Sort(took)
				t.Logf("%s, form %d: median %v, longest %v", name, form, took[len(took)/2], took[len(took)-1])
				if median := took[len(took)/2]; median > 50*time.Millisecond {
					t.Errorf("%s was noticed after %v", name, median)
				}
			}
		}
	})
}

// TestClientThatStays is ended in order and does not close its side: the
// connection is closed after Linger all the same.
func TestClientThatStays(t *testing.T) {
	eachDriver(t, func(t *testing.T, o way) {
		f := newTape(t)
		o.Linger = 100 * time.Millisecond
		d := start(t, f, o)
		client, v := connect(t, d, f, fanout.Event, nil)
		c := wait(t, v.started, "start")
		c.Do(func() { c.End(fanout.Bye{Code: "draining"}) })
		if _, err := io.Copy(io.Discard, client); err != nil {
			t.Fatal(err)
		}
		begin := time.Now()
		settled(t, d)
		if took := time.Since(begin); took > 5*time.Second {
			t.Errorf("it took %v", took)
		}
	})
}
