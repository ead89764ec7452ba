package client

import (
	"fmt"
	"sync"

	"github.com/tapecast/tapecast/charts"
	"github.com/tapecast/tapecast/feed"
)

// keptFaults bounds how many faults a report words, and keptRanges how many
// gaps and closed sums a symbol keeps. All are counted.
const (
	keptFaults = 20
	keptRanges = 1000
)

// Tiling checks the promise of the service on what one client gets: that per
// symbol and channel the ranges tile the sequence, no hole, no overlap, in
// order, and what the trades sum up to. Feed it every message with Observe, then
// look at Report, and compare Sums with what is known to be true.
//
// The zero Tiling is ready. It may be used from several goroutines.
type Tiling struct {
	mu      sync.Mutex
	symbols map[string]*tiles
	report  Report
}

// Report is what a Tiling found so far.
type Report struct {
	Messages uint64 // that cover a range of seqs
	Covered  uint64 // seqs that they cover, gaps not counted
	Holes    uint64 // ranges that never came
	Overlaps uint64 // ranges that came again, or late, wholly or in part
	Altered  uint64 // ranges whose content is not what it should be
	Gaps     uint64 // ranges that the service said are lost: legal
	GapSeqs  uint64 // seqs in these, as far as known
	Resets   uint64
	// Faults says in words what the first holes, overlaps and alterations were.
	Faults []string
}

// Err returns nil if all is well, else the count of faults and the first ones.
// Gaps and resets are no faults.
func (r Report) Err() error {
	if r.Holes+r.Overlaps+r.Altered == 0 {
		return nil
	}
	return fmt.Errorf("%d holes, %d overlaps, %d altered: %q", r.Holes, r.Overlaps, r.Altered, r.Faults)
}

// Range is a range of seqs of a channel, both included. First is 0 where the
// service did not say it and it is not known.
type Range struct {
	Channel    feed.Channel
	First, Seq uint64
}

// tiles is what is known of one symbol.
type tiles struct {
	channels [feed.Channels]struct {
		started bool
		last    uint64
	}
	from   uint64       // where the present sums begin
	sum    charts.Bar   // of the trades from there on
	closed []charts.Bar // the sums before, ended by a hole, gap, overlap or reset
	gaps   []Range
}

// Observe checks the next message that the client got.
func (t *Tiling) Observe(m *Message) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case m.Ranged():
		t.report.Messages++
		s := t.tiles(m.Symbol)
		if t.place(s, m) && m.Channel == feed.Trades && m.Type != TypeGap {
			t.add(s, m)
		}
	case m.Type == TypeSnapshot:
		t.snapshot(m)
	case m.Type == TypeReset:
		t.report.Resets++
		for _, s := range t.symbols {
			s.cut(0)
			clear(s.channels[:])
		}
	}
}

func (t *Tiling) tiles(symbol string) *tiles {
	s := t.symbols[symbol]
	if s == nil {
		if t.symbols == nil {
			t.symbols = make(map[string]*tiles)
		}
		s = new(tiles)
		t.symbols[symbol] = s
	}
	return s
}

// place puts a range behind the last one and reports whether it brought
// anything new.
func (t *Tiling) place(s *tiles, m *Message) bool {
	c := &s.channels[m.Channel]
	first := m.First
	if first == 0 && c.started {
		first = c.last + 1
	}
	switch {
	case !c.started:
		c.started = true
		s.begin(m.Channel, max(first, 1))
	case m.Seq <= c.last:
		t.report.Overlaps++
		t.fault("%s %s: had %d, got %d..%d again or late", m.Symbol, m.Channel, c.last, first, m.Seq)
		return false
	case first <= c.last:
		t.report.Overlaps++
		t.fault("%s %s: had %d, got %d..%d: %d..%d again", m.Symbol, m.Channel, c.last, first, m.Seq, first, c.last)
		s.begin(m.Channel, first)
	case first > c.last+1:
		t.report.Holes++
		t.fault("%s %s: had %d, got %d..%d: %d..%d missing", m.Symbol, m.Channel, c.last, first, m.Seq, c.last+1, first-1)
		s.begin(m.Channel, first)
	}
	c.last = m.Seq
	if m.Type != TypeGap {
		t.report.Covered += m.Seq - m.First + 1
		return true
	}
	t.gap(s, Range{Channel: m.Channel, First: first, Seq: m.Seq})
	return true
}

func (t *Tiling) gap(s *tiles, r Range) {
	t.report.Gaps++
	if r.First > 0 {
		t.report.GapSeqs += r.Seq - r.First + 1
	}
	if len(s.gaps) < keptRanges {
		s.gaps = append(s.gaps, r)
	}
	s.begin(r.Channel, r.Seq+1)
}

// add sums up a trade or agg, which must be consistent in itself.
func (t *Tiling) add(s *tiles, m *Message) {
	b := &m.Bar
	if n := m.Seq - m.First + 1; b.Count != n {
		t.altered("%s trades %d..%d: says %d trades, must be %d", m.Symbol, m.First, m.Seq, b.Count, n)
	}
	if b.Low > min(b.Open, b.Close) || b.High < max(b.Open, b.Close) {
		t.altered("%s trades %d..%d: open or close lies outside low and high", m.Symbol, m.First, m.Seq)
	}
	s.sum = charts.Merge(s.sum, *b)
}

// snapshot says where the ranges of a symbol begin. One that comes later must
// stand where the ranges do, or before.
func (t *Tiling) snapshot(m *Message) {
	s := t.tiles(m.Symbol)
	for channel, seq := range m.starts() {
		c := &s.channels[channel]
		switch {
		case !c.started:
			c.started, c.last = true, seq
			s.begin(channel, seq+1)
		case seq > c.last:
			t.report.Holes++
			t.fault("%s %s: had %d, got a snapshot at %d: %d..%d missing", m.Symbol, channel, c.last, seq, c.last+1, seq)
			c.last = seq
			s.begin(channel, seq+1)
		}
	}
}

// begin starts new sums at seq if the channel is that of the trades.
func (s *tiles) begin(c feed.Channel, seq uint64) {
	if c == feed.Trades {
		s.cut(seq)
	}
}

func (s *tiles) cut(from uint64) {
	if s.sum.Count > 0 && len(s.closed) < keptRanges {
		s.closed = append(s.closed, s.sum)
	}
	s.from, s.sum = from, charts.Bar{}
}

func (t *Tiling) altered(format string, args ...any) {
	t.report.Altered++
	t.fault(format, args...)
}

func (t *Tiling) fault(format string, args ...any) {
	if len(t.report.Faults) < keptFaults {
		t.report.Faults = append(t.report.Faults, fmt.Sprintf(format, args...))
	}
}
