package client

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tapecast/tapecast/feed"
)

const (
	hello      = `{"type":"hello","v":1,"node":"n1","ts":1,"tape":"aa","heartbeat_ms":2000}`
	subscribed = `{"type":"subscribed","id":"subscribe","symbols":2,"channels":["trades"],"resolution":"raw","cursor":"c0"}`
)

func trade(seq int) string {
	return fmt.Sprintf(`{"type":"trade","sym":"AAPL","seq":%d,"ts":%d,"p":1.00,"v":1,"side":"s"}`, seq, 1000+seq)
}

func heartbeat(cursor string) string {
	return fmt.Sprintf(`{"type":"heartbeat","ts":1,"at":5,"behind_ms":0,"cursor":%q}`, cursor)
}

// play runs a client against WebSocket steps until until holds, and returns
// what Run said.
func play(t *testing.T, until func(*rig) bool, script ...step) (*rig, *node, error) {
	n := newNode(newTape(0), script...)
	r := newRig(t, Options{}, nil, n)
	r.until = func() bool { return until(r) }
	return r, n, r.Run(t.Context(), r.handle)
}

func (r *rig) last(seq uint64) bool { return r.tiling.Last("AAPL", feed.Trades) >= seq }

func reaches(seq uint64) func(*rig) bool { return func(r *rig) bool { return r.last(seq) } }

// TestResumeSaysWhatItHas looks at the commands of a client that is cut off.
func TestResumeSaysWhatItHas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		quote := `{"type":"quote","sym":"BTCUSDT","first":3,"seq":9,"ts":1,"bp":1,"bv":1,"ap":2,"av":1}`
		_, n, err := play(t, reaches(4),
			step{send: []string{hello, subscribed, trade(1), heartbeat("c7"), trade(2), quote}, abort: true},
			// The cursor of a resumed subscription may be ahead of what has come.
			step{send: []string{hello, strings.Replace(subscribed, "c0", "c99", 1), trade(3)}, abort: true},
			step{send: []string{trade(4)}})
		if !errors.Is(err, errDone) {
			t.Fatal(err)
		}
		if c := n.commands[0]; c.Op != "subscribe" || c.ID == "" || c.Cursor != "" || !slices.Equal(c.Symbols, []string{"*"}) {
			t.Errorf("first command %+v", c)
		}
		for i, trades := range map[int]uint64{1: 2, 2: 3} {
			c := n.commands[i]
			if c.Cursor != "c7" || c.Since["AAPL"].Trades != trades || c.Since["BTCUSDT"].Quotes != 9 {
				t.Errorf("command %d: %+v", i, c)
			}
		}
	})
}

// TestPollSaysSinceAfterABrokenStream changes over to polls between two cursors.
func TestPollSaysSinceAfterABrokenStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		poll := func(seq int) step {
			return step{body: fmt.Sprintf(`{"messages":[%s],"next":"c%d"}`, trade(seq), seq)}
		}
		n := newNode(newTape(0), step{send: []string{hello, subscribed, trade(1), heartbeat("c7"), trade(2)}, abort: true}, poll(3), poll(4))
		r := newRig(t, Options{Resolution: "250ms"}, nil, n)
		err := r.Run(t.Context(), func(m *Message) error {
			if m.Seq == 2 {
				_ = r.Switch(LongPoll)
			}
			if m.Seq == 4 {
				return errDone
			}
			return r.handle(m)
		})
		if !errors.Is(err, errDone) {
			t.Fatal(err)
		}
		var posts []command
		for _, c := range n.commands {
			if c.Op == "" {
				posts = append(posts, c)
			}
		}
		if len(posts) != 1 || posts[0].Cursor != "c7" || posts[0].Since["AAPL"].Trades != 2 || posts[0].Resolution != "250ms" {
			t.Errorf("posts %+v", posts)
		}
		if last := n.requests[2]; last.Method != http.MethodGet || last.URL.Query().Get("cursor") != "c3" {
			t.Errorf("behind a cursor that is exact: %s %v", last.Method, last.URL)
		}
	})
}

func TestDuplicatesAndStraddles(t *testing.T) {
	agg := `{"type":"agg","sym":"AAPL","first":2,"seq":4,"t0":1,"ts":2,"n":3,"o":1,"h":1,"l":1,"c":1,"v":3,"to":"3.00","d":"0000000000000000"}`
	synctest.Test(t, func(t *testing.T) {
		r, _, err := play(t, reaches(6),
			step{send: []string{hello, trade(1), trade(2), trade(2), trade(3)}, abort: true},
			step{send: []string{hello, trade(1), trade(2), trade(3), agg, trade(4), trade(6)}})
		if !errors.Is(err, errDone) {
			t.Fatal(err)
		}
		// On the second connection 1, 2 and 3 are explained by the resume. The second
		// trade 2 of the first and trade 4 behind the agg are not.
		if s := r.Stats(); s.Duplicates != 5 || s.Doubled != 2 || s.Overlaps != 1 {
			t.Errorf("stats %+v", s)
		}
		report := r.tiling.Report()
		if report.Overlaps != 1 || report.Holes != 1 || !strings.Contains(report.Faults[0], "had 3, got 2..4: 2..3 again") {
			t.Errorf("report %+v", report)
		}
	})
}

func TestGapWithoutFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gap := `{"type":"gap","sym":"AAPL","channel":"trades","seq":%d,"reason":"retention"}`
		r, _, err := play(t, reaches(10), step{send: []string{
			hello, fmt.Sprintf(gap, 3), trade(4), fmt.Sprintf(gap, 9), fmt.Sprintf(gap, 8), trade(10),
		}})
		if !errors.Is(err, errDone) {
			t.Fatal(err)
		}
		if got := r.tiling.Gaps("AAPL"); !slices.Equal(got, []Range{{feed.Trades, 0, 3}, {feed.Trades, 5, 9}}) {
			t.Errorf("gaps %v", got)
		}
		report := r.tiling.Report()
		if err := report.Err(); err != nil || report.GapSeqs != 5 {
			t.Errorf("%v, report %+v", err, report)
		}
		if s := r.Stats(); s.Doubled != 1 || s.Overlaps != 0 {
			t.Errorf("stats %+v", s)
		}
		if m := r.got[3]; m.Type != TypeGap || m.First != 5 || m.Seq != 9 {
			t.Errorf("the handler got %+v", m)
		}
	})
}

func TestResetForgets(t *testing.T) {
	reset := `{"type":"reset","reason":"new_tape"}`
	snapshot := `{"type":"snapshot","sym":"AAPL","trade":{"seq":4,"ts":9,"p":1,"v":1},"tape":"bb"}`
	synctest.Test(t, func(t *testing.T) {
		r, n, err := play(t, func(r *rig) bool { return r.tiling.Last("AAPL", feed.Trades) == 5 },
			step{send: []string{hello, subscribed, trade(100), heartbeat("old")}, abort: true},
			step{send: []string{hello, strings.Replace(subscribed, "c0", "new", 1), reset, snapshot}, abort: true},
			step{send: []string{trade(5)}})
		report := r.tiling.Report()
		if !errors.Is(err, errDone) || report.Err() != nil || report.Resets != 1 {
			t.Fatalf("%v, report %+v", err, report)
		}
		if c := n.commands[2]; c.Cursor != "new" || c.Since["AAPL"].Trades != 4 {
			t.Errorf("third command %+v", c)
		}
		if got := r.tiling.Segments("AAPL"); len(got) != 2 || got[0].Seq != 100 || got[1].First != 5 {
			t.Errorf("segments %v", got)
		}
	})
}

func TestAsksAgainForSymbols(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		more := `{"sym":"NEW","name":"New","class":"bond","decimals":3,"scale":0}`
		listing := strings.Replace(trade(7), "AAPL", "NEW", 1)
		n := newNode(newTape(0), step{send: []string{hello, trade(1), listing}}, step{send: []string{listing}})
		r := newRig(t, Options{}, nil, n)
		r.until = func() bool { return r.tiling.Last("NEW", feed.Trades) == 7 }
		// It becomes known only after the client has asked a second time in vain.
		go func() {
			pause(t.Context(), 20*time.Millisecond)
			n.mu.Lock()
			n.symbols = strings.Replace(n.symbols, `{"sym"`, more+`,{"sym"`, 1)
			n.mu.Unlock()
		}()
		n.script = append(slices.Repeat([]step{{send: []string{listing}}}, 20), n.script...)
		if err := r.Run(t.Context(), r.handle); !errors.Is(err, errDone) {
			t.Fatal(err)
		}
		if m := r.got[len(r.got)-1]; m.Price != 1000 || m.Instrument.Decimals != 3 {
			t.Errorf("got %+v", m)
		}
		if s := r.Stats(); s.Garbled == 0 {
			t.Errorf("stats %+v", s)
		}
	})
}

// TestAnotherTapeHasOtherScales starts afresh at a node whose tape is a new one.
func TestAnotherTapeHasOtherScales(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		next := strings.NewReplacer("00000000000000aa", "bb", `"decimals":2,"scale":0`, `"decimals":4,"scale":0`).Replace(symbolsJSON)
		a := newNode(newTape(0), step{send: []string{strings.Replace(hello, `"aa"`, `"00000000000000aa"`, 1)}, abort: true})
		b := newNode(newTape(0), step{send: []string{strings.Replace(hello, `"aa"`, `"bb"`, 1), trade(1)}})
		b.symbols = next
		r := newRig(t, Options{}, nil, a, b)
		r.until = func() bool { return r.last(1) }
		if err := r.Run(t.Context(), r.handle); !errors.Is(err, errDone) {
			t.Fatal(err)
		}
		if m := r.got[len(r.got)-1]; m.Price != 10000 || m.Instrument.Decimals != 4 {
			t.Errorf("a price of 1.00 is %d at %d decimals", m.Price, m.Instrument.Decimals)
		}
	})
}

func TestSilenceIsDeath(t *testing.T) {
	for _, tr := range []Transport{WebSocket, SSE} {
		t.Run(tr.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				silent := step{send: []string{hello, trade(1)}}
				if tr == SSE {
					silent = step{body: "data: " + hello + "\n\ndata: " + trade(1) + "\n\n"}
				}
				n := newNode(newTape(0), silent, silent)
				r := newRig(t, Options{Transport: tr}, nil, n)
				began := time.Now()
				r.until = func() bool { return len(r.got) == 4 || len(r.got) == 3 && r.got[2].Type == TypeHello }
				if err := r.Run(t.Context(), r.handle); !errors.Is(err, errDone) {
					t.Fatal(err)
				}
				// Two heartbeats of 2 s as the hello says, and the first backoff.
				if took := time.Since(began); took < 4*time.Second || took > 4*time.Second+closeGrace+firstBackoff {
					t.Errorf("a silent node was left after %v", took)
				}
			})
		})
	}
}

func TestSlowHandlerIsNotSilence(t *testing.T) {
	for _, tr := range transports() {
		t.Run(tr.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tape := newTape(30)
				r := newRig(t, Options{Transport: tr}, nil, newNode(tape))
				err := r.Run(t.Context(), func(m *Message) error {
					if len(r.got)%10 == 5 {
						pause(t.Context(), 5*time.Minute)
					}
					if err := r.handle(m); err != nil || tape.reached(&r.tiling) {
						return errDone
					}
					return nil
				})
				if s := r.Stats(); !errors.Is(err, errDone) || s.Connects != 1 {
					t.Errorf("Run: %v, stats %+v", err, s)
				}
			})
		})
	}
}

func TestAcksEverySecondWhatIsNew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(newTape(3500)) // one message a millisecond
		r := newRig(t, Options{}, nil, n)
		r.until = func() bool { return false }
		ctx, cancel := context.WithTimeout(t.Context(), 8*time.Second)
		defer cancel()
		if err := r.Run(ctx, r.handle); err != nil {
			t.Fatal(err)
		}
		acks := n.ops("ack")
		if len(acks) != 4 || acks[3].TS != n.tape.ts || acks[0].TS >= acks[1].TS {
			t.Errorf("acks %+v, the last message is of %d", acks, n.tape.ts)
		}
	})
}

func TestNoAck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(newTape(1500))
		r := newRig(t, Options{NoAck: true}, nil, n)
		r.follow(n.tape)
		if acks := n.ops("ack"); len(acks) != 0 {
			t.Errorf("acks %+v", acks)
		}
	})
}

func TestPollsKeepTheirPace(t *testing.T) {
	empty := step{body: `{"messages":[],"next":"c0"}`}
	for _, c := range []struct {
		transport Transport
		pause     time.Duration
		wait      string
	}{{ShortPoll, 3 * time.Second, "0"}, {LongPoll, quickPause, "7"}} {
		t.Run(c.transport.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := newNode(newTape(0), empty, empty, empty, empty, step{body: `{"messages":[` + trade(1) + `],"next":"c1"}`})
				r := newRig(t, Options{Transport: c.transport, PollWait: 6500 * time.Millisecond, PollInterval: 3 * time.Second}, nil, n)
				r.until = func() bool { return r.last(1) }
				began := time.Now()
				if err := r.Run(t.Context(), r.handle); !errors.Is(err, errDone) {
					t.Fatal(err)
				}
				if took := time.Since(began); took != 4*c.pause {
					t.Errorf("four empty answers took %v, want %v", took, 4*c.pause)
				}
				if q := n.requests[1].URL.Query(); q.Get("wait") != c.wait || q.Get("cursor") != "c0" || q.Get("symbols") != "*" {
					t.Errorf("query %v", q)
				}
			})
		})
	}
}

func TestSSEResumesWithItsLastID(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first := "retry: 3000\n: a comment\nid: i1\ndata: " + trade(1) + "\n\nevent: other\ndata: {}\n\nid: i2\ndata: " + trade(2) + "\n\nid: i3\ndata: " + trade(3)
		n := newNode(newTape(0), step{body: first, abort: true}, step{body: "data:" + trade(3) + "\r\n\r\n"})
		r := newRig(t, Options{Transport: SSE, Symbols: []string{"AAPL"}, Channels: []string{"trades"}, Start: "-10m", Speed: "max"}, nil, n)
		r.until = func() bool { return r.last(3) }
		began := time.Now()
		if err := r.Run(t.Context(), r.handle); !errors.Is(err, errDone) {
			t.Fatal(err)
		}
		if took := time.Since(began); took < 3*time.Second {
			t.Errorf("reconnected after %v though the node said retry: 3000", took)
		}
		a, b := n.requests[0], n.requests[1]
		if a.Header.Get("Last-Event-ID") != "" || a.URL.Query().Get("start") != "-10m" || a.URL.Query().Get("speed") != "max" {
			t.Errorf("first request %v %v", a.URL, a.Header)
		}
		if b.Header.Get("Last-Event-ID") != "i2" || b.URL.Query().Has("start") || b.URL.Query().Get("channels") != "trades" {
			t.Errorf("second request %v %v", b.URL, b.Header)
		}
	})
}

func TestGarbledAnswersAreAskedForAgain(t *testing.T) {
	huge := `{"type":"trade","x":"` + strings.Repeat("x", maxMessage) + `"}`
	for name, c := range map[string]struct {
		transport Transport
		bad       step
	}{
		"half a message":       {WebSocket, step{send: []string{trade(1)[:30]}}},
		"a price of letters":   {WebSocket, step{send: []string{strings.Replace(trade(1), "1.00", `"x"`, 1)}}},
		"too many decimals":    {WebSocket, step{send: []string{strings.Replace(trade(1), "1.00", "1.001", 1)}}},
		"a message too long":   {WebSocket, step{send: []string{huge}}},
		"half an event":        {SSE, step{body: "id: i9\ndata: [" + trade(1) + ",{\n\n"}},
		"not a stream":         {SSE, step{body: "<html>", kind: "text/html"}},
		"not JSON":             {LongPoll, step{body: "<html>"}},
		"half a body":          {LongPoll, step{body: `{"messages":[` + trade(1) + `],"next":"c`}},
		"no next":              {LongPoll, step{body: `{"messages":[` + trade(1) + `]}`}},
		"a null message":       {ShortPoll, step{body: `{"messages":[null],"next":"c1"}`}},
		"a message of no type": {ShortPoll, step{body: `{"messages":[{}],"next":"c1"}`}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tape := newTape(40)
				n := newNode(tape, c.bad, c.bad)
				r := newRig(t, Options{Transport: c.transport}, nil, n)
				r.follow(tape)
				if s := r.Stats(); s.Garbled != 2 {
					t.Errorf("stats %+v", s)
				}
				if got := n.requests[2].Header.Get("Last-Event-ID") + n.requests[2].URL.Query().Get("cursor"); got != "" {
					t.Errorf("the cursor %q of a garbled answer was taken", got)
				}
			})
		})
	}
}

func TestOptionsAreChecked(t *testing.T) {
	_, err := New(Options{
		Base: "127.0.0.1:8080", Transport: 9, Channels: []string{"bars:2m", "ticks"}, Resolution: "2s", Slow: "no",
		MaxRate: -1, Cursor: "c", Start: "now", PollWait: -1, Limit: 1001,
	})
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{"Base", "Transport", "Symbols", "2m", "ticks", "Resolution", "Slow", "MaxRate", "Cursor and Start", "PollWait", "Limit"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%v\ndoes not speak of %s", err, want)
		}
	}
	if _, err := New(Options{Base: "http://h", Bases: []string{"ftp://h"}, Symbols: []string{"A,B"}}); err == nil {
		t.Error("a base of ftp was taken")
	}
	for _, name := range []string{"ws", "sse", "long-poll", "short-poll", "poll"} {
		if _, err := ParseTransport(name); err != nil {
			t.Error(err)
		}
	}
	if _, err := ParseTransport("pigeon"); err == nil {
		t.Error("a pigeon was taken")
	}
}

func TestSendsItsParametersAndHeader(t *testing.T) {
	for _, tr := range transports() {
		t.Run(tr.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := newNode(newTape(5))
				r := newRig(t, Options{
					Transport: tr, Symbols: []string{"AAPL", "BTCUSDT"}, Channels: []string{"trades", "bars:1m"}, Resolution: "250ms",
					Slow: "drop", MaxRate: 7, MaxBytes: 9000, Start: "now", Header: http.Header{"Authorization": {"Bearer x"}},
				}, nil, n)
				r.until = func() bool { return true }
				if err := r.Run(t.Context(), r.handle); !errors.Is(err, errDone) {
					t.Fatal(err)
				}
				if got := n.requests[0].Header.Get("Authorization"); got != "Bearer x" {
					t.Errorf("Authorization %q", got)
				}
				if tr == WebSocket {
					c := n.commands[0]
					if len(c.Symbols) != 2 || len(c.Channels) != 2 || c.Resolution != "250ms" || c.Slow != "drop" || c.MaxRate != 7 || c.MaxBytes != 9000 || c.Start != "now" {
						t.Errorf("command %+v", c)
					}
					return
				}
				q := n.requests[0].URL.Query()
				q.Del("wait")
				want := "channels=trades%2Cbars%3A1m&resolution=250ms&start=now&symbols=AAPL%2CBTCUSDT"
				if tr == SSE {
					want = strings.Replace(want, "&resolution=250ms", "&max_bytes=9000&max_rate=7&resolution=250ms&slow=drop", 1)
				}
				if got := q.Encode(); got != want {
					t.Errorf("query %s, want %s", got, want)
				}
			})
		})
	}
}
