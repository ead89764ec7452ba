package feeder

import (
	"context"
	"time"

	"github.com/tapecast/tapecast/feed"
)

const (
	clockEvery    = int64(100 * time.Millisecond) // of tape time, on each lane
	keyframeEvery = int64(60 * time.Second)       // of tape time, for each symbol
)

// scribe writes records to the lanes of a tape and keeps each lane's time from
// going backwards.
type scribe struct {
	tape   Tape
	times  []int64 // newest tape time by lane
	counts []int   // symbols by lane
	buf    []byte
	frame  feed.Keyframe
	bytes  int // appended since the last flush
}

func newScribe(tape Tape, lanes int) scribe {
	return scribe{tape: tape, times: make([]int64, lanes), counts: make([]int, lanes)}
}

// stamp returns the tape time of a record that happens at ts.
func (s *scribe) stamp(lane int, ts int64) int64 {
	s.times[lane] = max(s.times[lane], ts)
	return s.times[lane]
}

// tick numbers a tick and writes it.
func (s *scribe) tick(b *book, t *feed.Tick) {
	t.TS = s.stamp(b.lane, t.TS)
	b.number(t)
	b.take(t)
	s.buf = feed.AppendTick(s.buf[:0], t)
	s.append(b.lane, t.TS, b.key)
}

// keyframe writes the keyframe of a symbol.
func (s *scribe) keyframe(b *book, tape feed.TapeID, ts int64) {
	ts = s.stamp(b.lane, ts)
	b.keyframe(&s.frame, tape, ts)
	s.buf = feed.AppendKeyframe(s.buf[:0], &s.frame)
	s.append(b.lane, ts, b.key)
}

// clocks writes a clock to each lane.
func (s *scribe) clocks(tape feed.TapeID, ts int64) {
	for lane := range s.times {
		c := feed.Clock{TS: s.stamp(lane, ts), Tape: tape, Symbols: s.counts[lane]}
		s.buf = feed.AppendClock(s.buf[:0], &c)
		s.append(lane, c.TS, nil)
	}
}

// session writes the beginning of a session to each lane.
func (s *scribe) session(of feed.Session) {
	for lane := range s.times {
		of.TS = s.stamp(lane, of.Start)
		s.buf = feed.AppendSession(s.buf[:0], &of)
		s.append(lane, of.TS, nil)
	}
}

// append writes buf.
func (s *scribe) append(lane int, ts int64, key []byte) {
	s.bytes += len(key) + len(s.buf)
	s.tape.Append(lane, ts, key, s.buf)
}

func (s *scribe) flush(ctx context.Context) error {
	s.bytes = 0
	return s.tape.Flush(ctx)
}

// rota spreads the keyframes of n symbols evenly over keyframeEvery.
type rota struct {
	base int64 // when this round began, ns UTC
	next int   // index of the symbol whose turn is next
	n    int
}

// at returns when the next symbol's turn is.
func (r *rota) at() int64 { return r.base + keyframeEvery*int64(r.next+1)/int64(r.n) }

// turn returns whose it is and passes it on.
func (r *rota) turn() int {
	i := r.next
	if r.next++; r.next == r.n {
		r.next, r.base = 0, r.base+keyframeEvery
	}
	return i
}
