package client

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func resolutionMessage(trades, quotes, reason string) string {
	return fmt.Sprintf(`{"type":"resolution","id":"subscribe","trades":%q,"quotes":%q,"reason":%q}`, trades, quotes, reason)
}

// TestLevelTellsWhatAndWhy follows what a node says of a slow client.
func TestLevelTellsWhatAndWhy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(newTape(0), step{send: []string{
			hello, subscribed, trade(1), resolutionMessage("raw", "250ms", "slow"), resolutionMessage("250ms", "250ms", "slow"),
			resolutionMessage("paced", "paced", "slow"), resolutionMessage("100ms", "100ms", "recovered"), trade(2),
		}})
		r := newRig(t, Options{Resolution: "100ms"}, nil, n)
		if l := r.Stats().Level; l != (Level{}) {
			t.Errorf("before it runs: %+v", l)
		}
		var levels []Level
		err := r.Run(t.Context(), func(m *Message) error {
			if m.Type == TypeTrade || m.Type == TypeResolution {
				levels = append(levels, r.Stats().Level)
			}
			if m.Seq == 2 {
				return errDone
			}
			return nil
		})
		if !errors.Is(err, errDone) {
			t.Fatal(err)
		}
		want := []Level{
			{"100ms", "100ms", "asked", false},
			{"raw", "250ms", "slow", true},
			{"250ms", "250ms", "slow", true},
			{"paced", "paced", "slow", true},
			{"100ms", "100ms", "recovered", false},
			{"100ms", "100ms", "recovered", false},
		}
		if !slices.Equal(levels, want) {
			t.Errorf("levels %+v", levels)
		}
	})
}

// TestResolveGoesOn changes the wish on every transport, in the middle of the
// tape, changes the transport afterwards, and loses nothing.
func TestResolveGoesOn(t *testing.T) {
	for _, tr := range transports() {
		t.Run(tr.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tape := newTape(400)
				n := newNode(tape)
				r := newRig(t, Options{Transport: tr, PollInterval: 5 * time.Millisecond}, nil, n)
				resolved := false
				r.until = func() bool {
					if !resolved && len(r.got) > 100 {
						resolved = true
						if err := r.Resolve("1s", 10, 2000); err != nil {
							t.Error(err)
						}
					}
					return tape.reached(&r.tiling)
				}
				if err := r.Run(t.Context(), r.handle); !errors.Is(err, errDone) {
					t.Fatal(err)
				}
				r.check(tape)
				want := Level{Trades: paced, Quotes: paced, Reason: "asked"}
				last := n.requests[len(n.requests)-1].URL.Query()
				switch tr {
				case WebSocket:
					if c := n.ops("resolution"); len(c) != 1 || c[0].Resolution != "1s" || c[0].MaxRate != 10 || c[0].MaxBytes != 2000 {
						t.Errorf("commands %+v", c)
					}
					if s := r.Stats(); s.Connects != 1 {
						t.Errorf("reconnected: %+v", s)
					}
				case SSE:
					if last.Get("resolution") != "1s" || last.Get("max_rate") != "10" || last.Get("max_bytes") != "2000" {
						t.Errorf("last query %v", last)
					}
				default:
					want = Level{Trades: "1s", Quotes: "1s", Reason: "asked"}
					if last.Get("resolution") != "1s" || last.Has("max_rate") || last.Has("max_bytes") {
						t.Errorf("last query %v", last)
					}
				}
				if l := r.Stats().Level; l != want {
					t.Errorf("level %+v", l)
				}
			})
		})
	}
}

// TestWishSurvivesACut is cut off after a live change.
func TestWishSurvivesACut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tape := newTape(200)
		cuts := 0
		n := newNode(tape)
		r := newRig(t, Options{MaxRate: 5}, func() int { cuts++; return []int{0, 0, 9000, 0}[min(cuts, 3)] }, n)
		if err := r.Resolve("250ms", 0, 0); err != nil {
			t.Fatal(err)
		}
		changed := false
		r.until = func() bool {
			if !changed && len(r.got) > 50 {
				changed = true
				_ = r.Resolve("5s", 0, 700)
			}
			return tape.reached(&r.tiling)
		}
		if err := r.Run(t.Context(), r.handle); !errors.Is(err, errDone) {
			t.Fatal(err)
		}
		r.check(tape)
		subs := n.ops("subscribe")
		if len(subs) < 2 || subs[0].Resolution != "250ms" || subs[0].MaxRate != 0 {
			t.Fatalf("subscribes %+v", subs)
		}
		if last := subs[len(subs)-1]; last.Resolution != "5s" || last.MaxBytes != 700 || last.Cursor == "" {
			t.Errorf("last subscribe %+v", last)
		}
	})
}

// TestRefusedWishIsGivenUp asks for a rate that the node finds too low.
func TestRefusedWishIsGivenUp(t *testing.T) {
	for _, tr := range []Transport{WebSocket, SSE} {
		t.Run(tr.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tape := newTape(300)
				n := newNode(tape)
				n.lowest = 4
				r := newRig(t, Options{Transport: tr, Resolution: "100ms"}, nil, n)
				asked := false
				r.until = func() bool {
					if !asked && len(r.got) > 100 {
						asked = true
						_ = r.Resolve("1s", 1, 0)
					}
					return tape.reached(&r.tiling)
				}
				if err := r.Run(t.Context(), r.handle); !errors.Is(err, errDone) {
					t.Fatal(err)
				}
				r.check(tape)
				if l := r.Stats().Level; l.Trades != "100ms" || l.Adapted {
					t.Errorf("level %+v", l)
				}
				told := slices.ContainsFunc(r.got, func(m *Message) bool { return m.Type == TypeError && strings.Contains(m.Text, "too low") })
				if told != (tr == WebSocket) {
					t.Errorf("told: %v", told)
				}
				if err := r.Resolve("1s", 4, 0); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// TestRefusedAtOnce has nothing to fall back to.
func TestRefusedAtOnce(t *testing.T) {
	for _, tr := range []Transport{WebSocket, SSE} {
		synctest.Test(t, func(t *testing.T) {
			n := newNode(newTape(10))
			n.lowest = 4
			r := newRig(t, Options{Transport: tr, MaxRate: 1}, nil, n)
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			var refused *RefusedError
			if err := r.Run(ctx, r.handle); !errors.As(err, &refused) {
				t.Errorf("%s: Run: %v", tr, err)
			}
		})
	}
}

func TestResolveIsChecked(t *testing.T) {
	c, err := New(Options{Base: "http://h", Symbols: []string{"*"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range []wish{{resolution: "2s"}, {resolution: paced}, {rate: -1}, {bytes: -1}} {
		if c.Resolve(w.resolution, w.rate, w.bytes) == nil {
			t.Errorf("%+v was taken", w)
		}
	}
	if c.wishes.now != (wish{}) {
		t.Errorf("wish %+v", c.wishes.now)
	}
}
