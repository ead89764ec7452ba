//go:build linux

package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/tapecast/tapecast/feed"
)

// records splits what a source has written.
func records(t *testing.T, b []byte, visit func(lane byte, key string, value []byte)) {
	t.Helper()
	for len(b) > 0 {
		key, value := int(b[1]), int(binary.LittleEndian.Uint16(b[2:]))
		visit(b[0], string(b[4:4+key]), b[4+key:4+key+value])
		b = b[4+key+value:]
	}
}

// A tape must be one that a node takes: clocks that say how many symbols there
// are, keyframes, and ticks whose seqs tile and whose times do not go back.
func TestTape(t *testing.T) {
	s := newSource([]string{"A", "B", "C"}, 2, true, 1e18)
	p := pacer{rate: 1000}
	b := p.ticks(s.opening(nil), s, 10*time.Millisecond)
	b = s.clocks(b, 1e18+int64(10*time.Millisecond))
	keyed, expect, seqs, times := 0, 0, map[string]uint64{}, map[byte]int64{}
	records(t, b, func(lane byte, key string, value []byte) {
		var r feed.Record
		if err := feed.Decode(value, &r); err != nil {
			t.Fatal(err)
		}
		if r.TS() < times[lane] {
			t.Errorf("lane %d: %d after %d", lane, r.TS(), times[lane])
		}
		times[lane] = r.TS()
		switch r.Kind {
		case feed.KindClock:
			expect += r.Clock.Symbols
		case feed.KindKeyframe:
			keyed++
		case feed.KindTrade:
			if seqs[key]++; r.Tick.Seq != seqs[key] {
				t.Errorf("%s: seq %d, want %d", key, r.Tick.Seq, seqs[key])
			}
			if due := int64(1e18) + int64(r.Tick.Seq-1)*3e6 + int64(strings.Index("ABC", key))*1e6; r.TS() != due {
				t.Errorf("%s %d: at %d, was due at %d", key, r.Tick.Seq, r.TS(), due)
			}
		}
	})
	if keyed != 3 || expect != 6 || seqs["A"] != 4 || seqs["B"] != 4 || seqs["C"] != 3 {
		t.Errorf("%d keyframes, clocks tell of %d, seqs %v", keyed, expect, seqs)
	}
}

// A frame of the peers' messages is 98 bytes once seqs have four digits.
func TestMessages(t *testing.T) {
	s := newSource([]string{"BENCH000"}, 8, false, 1764000000123456789)
	if b := s.clocks(s.opening(nil), 1); len(b) != 0 {
		t.Errorf("%q is no message", b)
	}
	s.seqs[0] = 4321
	records(t, s.tick(nil, 1764000000123456789), func(_ byte, key string, value []byte) {
		var m struct {
			Type, Sym string
			Seq, TS   int64
		}
		if err := json.Unmarshal(value, &m); err != nil || key != "BENCH000" || m.Type != "trade" || m.Seq != 4322 || m.TS != 1764000000123456 {
			t.Errorf("%v: %s", err, value)
		}
		if n := len(value) + 2; n != 98 {
			t.Errorf("a frame of %d bytes: %s", n, value)
		}
	})
}

// The loop is open: after a pause everything that came due is sent, with its own
// time, and counted as late.
func TestPacerCatchesUp(t *testing.T) {
	s, p := newSource([]string{"A"}, 1, true, 0), pacer{rate: 5000}
	for _, at := range []time.Duration{0, time.Millisecond, 100 * time.Millisecond, time.Second} {
		p.ticks(nil, s, at)
		if want := int(at.Seconds()*5000) + 1; p.sent != want {
			t.Errorf("%d ticks after %v, want %d", p.sent, at, want)
		}
	}
	if p.late.max < 890*time.Millisecond || p.late.max > 900*time.Millisecond {
		t.Errorf("at most %v late", p.late.max)
	}
	idle := pacer{}
	if b := idle.ticks(nil, s, time.Hour); len(b) != 0 {
		t.Error("ticks at a rate of nothing")
	}
}

// stopAfter ends a context once so much has been written.
type stopAfter struct {
	bytes.Buffer
	size int
	stop func()
}

func (w *stopAfter) Write(b []byte) (int, error) {
	if w.Len() > w.size {
		w.stop()
	}
	return w.Buffer.Write(b)
}

func TestPacerRuns(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	w := &stopAfter{size: 4000, stop: stop}
	p := pacer{rate: 10_000, start: time.Now()}
	if err := p.run(ctx, newSource([]string{"A"}, 1, true, p.start.UnixNano()), w); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(p.start); p.sent < 50 || float64(p.sent) > took.Seconds()*10_000+1 {
		t.Errorf("%d ticks in %v at 10,000 a second", p.sent, took)
	}
}
