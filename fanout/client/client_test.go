package client

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/tapecast/tapecast/feed"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var errDone = errors.New("the test has seen enough")

// rig is a client on a made-up network and what it got.
type rig struct {
	*Client
	t      *testing.T
	net    network
	tiling Tiling
	got    []*Message
	until  func() bool
}

// newRig makes a client of the nodes n1, n2, … with the options' blanks filled.
func newRig(t *testing.T, o Options, budget func() int, nodes ...*node) *rig {
	r := &rig{t: t}
	transport := &http.Transport{DialContext: r.net.dial}
	t.Cleanup(transport.CloseIdleConnections)
	names := []string{"n1:80", "n2:80", "n3:80"}
	for i, n := range nodes {
		n.serve(t, &r.net, names[i], budget)
		if i > 0 {
			o.Bases = append(o.Bases, "http://"+names[i])
		}
	}
	o.Base, o.HTTPClient = "http://n1:80", &http.Client{Transport: transport}
	if o.Symbols == nil {
		o.Symbols = []string{"*"}
	}
	c, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	r.Client = c
	return r
}

func (r *rig) handle(m *Message) error {
	r.tiling.Observe(m)
	r.got = append(r.got, m.Clone())
	if r.until != nil && r.until() {
		return errDone
	}
	return nil
}

// follow runs the client until it has the whole tape and checks all of it.
func (r *rig) follow(tape *tape) {
	r.t.Helper()
	r.until = func() bool { return tape.reached(&r.tiling) }
	ctx, cancel := context.WithTimeout(r.t.Context(), time.Hour)
	defer cancel()
	if err := r.Run(ctx, r.handle); !errors.Is(err, errDone) {
		r.t.Fatalf("Run: %v after %d messages, report %+v", err, len(r.got), r.tiling.Report())
	}
	r.check(tape)
}

func (r *rig) check(tape *tape) {
	r.t.Helper()
	report := r.tiling.Report()
	if err := report.Err(); err != nil || report.Gaps != 0 {
		r.t.Fatalf("%v, report %+v", err, report)
	}
	if s := r.Stats(); s.Overlaps != 0 || s.Doubled != 0 {
		r.t.Fatalf("stats %+v", s)
	}
	for _, symbol := range tape.symbols.All() {
		from, to, sum := r.tiling.Sums(symbol)
		if sum.Count == 0 || to != tape.seqs[symbol][feed.Trades] {
			r.t.Fatalf("%s: sums over %d..%d", symbol, from, to)
		}
		if err := r.tiling.Compare(symbol, sum, tape.truth(symbol, from, to)); err != nil {
			r.t.Error(err)
		}
	}
}

func transports() []Transport { return []Transport{WebSocket, SSE, LongPoll, ShortPoll} }

func TestFollowsTheTape(t *testing.T) {
	for _, tr := range transports() {
		t.Run(tr.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tape := newTape(300)
				n := newNode(tape)
				n.start = 40
				r := newRig(t, Options{Transport: tr}, nil, n)
				r.follow(tape)
				if s := r.Stats(); s.Connects != 1 || s.Duplicates != 0 || s.Garbled != 0 || s.Bytes == 0 {
					t.Errorf("stats %+v", s)
				}
			})
		})
	}
}

// TestMendsCuts cuts every connection after a random number of bytes, in the
// middle of whatever it is, at two nodes; the nodes send again some of what the
// client has.
func TestMendsCuts(t *testing.T) {
	for _, tr := range transports() {
		t.Run(tr.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tape := newTape(300)
				random := rand.New(rand.NewPCG(3, uint64(tr)))
				budget := func() int { return 900 + random.IntN(6000) }
				var script []step
				for range 40 {
					if tr == WebSocket || tr == SSE { // a poll's answer comes whole or not at all
						script = append(script, step{rewind: random.IntN(4)})
					}
				}
				r := newRig(t, Options{Transport: tr}, budget, newNode(tape, script...), newNode(tape, script...))
				r.follow(tape)
				s := r.Stats()
				t.Logf("stats %+v", s)
				if s.Connects < 5 || len(script) > 0 && s.Duplicates == 0 {
					t.Errorf("too little was met for the test to show anything: %+v", s)
				}
			})
		})
	}
}

func TestSwitchLosesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tape := newTape(400)
		r := newRig(t, Options{}, nil, newNode(tape))
		order := []Transport{SSE, LongPoll, WebSocket, ShortPoll, SSE, WebSocket, LongPoll, WebSocket}
		count := 0
		r.until = nil
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		err := r.Run(ctx, func(m *Message) error {
			if count++; count%40 == 0 && len(order) > 0 {
				if err := r.Switch(order[0]); err != nil {
					t.Error(err)
				}
				order = order[1:]
			}
			if err := r.handle(m); err != nil || tape.reached(&r.tiling) {
				return errDone
			}
			return nil
		})
		if !errors.Is(err, errDone) || len(order) > 0 {
			t.Fatalf("Run: %v, %d switches left", err, len(order))
		}
		r.check(tape)
		// Every switch resumed exactly: nothing came twice.
		if s := r.Stats(); s.Duplicates != 0 || s.Connects != 9 {
			t.Errorf("stats %+v", s)
		}
	})
}

// TestSwitchAfterACut changes over when a WebSocket broke between two cursors: the
// next transport, whichever, begins right after the last message all the same.
func TestSwitchAfterACut(t *testing.T) {
	for _, tr := range transports() {
		if tr == WebSocket {
			continue
		}
		t.Run(tr.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tape := newTape(100)
				r := newRig(t, Options{}, nil, newNode(tape))
				r.until = func() bool { return len(r.got) > 50 && r.ahead() }
				if err := r.Run(t.Context(), r.handle); !errors.Is(err, errDone) {
					t.Fatal(err)
				}
				r.tiling = Tiling{} // the message at which the handler failed comes again
				for _, m := range r.got[:len(r.got)-1] {
					r.tiling.Observe(m)
				}
				if err := r.Switch(tr); err != nil {
					t.Fatal(err)
				}
				r.follow(tape)
				if s := r.Stats(); s.Duplicates != 0 {
					t.Errorf("stats %+v", s)
				}
			})
		})
	}
}

// TestPollLimit is what a poll says of how long its answer may be.
func TestPollLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tape := newTape(100)
		n := newNode(tape)
		r := newRig(t, Options{Transport: ShortPoll, Limit: 50}, nil, n)
		r.follow(tape)
		for _, req := range n.requests {
			if got := req.URL.Query().Get("limit"); got != "50" {
				t.Errorf("%s says limit %q", req.URL, got)
			}
		}
	})
}

func TestSwitchWhileNodesAreAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tape := newTape(50)
		n := newNode(tape)
		r := newRig(t, Options{}, nil)
		go func() {
			pause(t.Context(), time.Minute)
			n.serve(t, &r.net, "n1:80", nil)
			if err := r.Switch(LongPoll); err != nil {
				t.Error(err)
			}
		}()
		r.follow(tape)
		if len(n.requests) == 0 || n.requests[0].URL.Path != "/v1/poll" {
			t.Errorf("requests %v", n.requests)
		}
	})
}

func TestStateGoesOnInAnotherClient(t *testing.T) {
	for _, tr := range transports() {
		t.Run(tr.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tape := newTape(200)
				a := newRig(t, Options{Transport: tr}, nil, newNode(tape))
				a.until = func() bool { return len(a.got) >= 100 }
				if err := a.Run(t.Context(), a.handle); !errors.Is(err, errDone) {
					t.Fatal(err)
				}
				// The message at which the handler failed is not part of the state.
				kept := a.State()
				b := newRig(t, Options{Transport: tr, Cursor: kept.Cursor, Since: kept.Since}, nil, newNode(tape))
				for _, m := range a.got[:len(a.got)-1] {
					b.tiling.Observe(m)
				}
				b.follow(tape)
			})
		})
	}
}

func TestRunOnceAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Options{}, nil, newNode(newTape(1)))
		err := r.Run(t.Context(), func(*Message) error { return r.Run(t.Context(), r.handle) })
		if err == nil || r.running {
			t.Fatalf("a second Run: %v", err)
		}
		r.until = func() bool { return true }
		if err := r.Run(t.Context(), r.handle); !errors.Is(err, errDone) {
			t.Fatalf("Run again: %v", err)
		}
	})
}

func TestRunEndsWithItsContext(t *testing.T) {
	for _, tr := range transports() {
		t.Run(tr.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, Options{Transport: tr}, nil, newNode(newTape(10)))
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
				defer cancel()
				began := time.Now()
				if err := r.Run(ctx, r.handle); err != nil {
					t.Errorf("Run: %v", err)
				}
				if took := time.Since(began); took > 10*time.Second+closeGrace {
					t.Errorf("it took %v", took)
				}
			})
		})
	}
}
