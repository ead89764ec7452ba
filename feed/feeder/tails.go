package feeder

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/tapecast/tapecast/charts"
	"github.com/tapecast/tapecast/feed"
)

// glance finds where a tape ends, from its last records.
type glance struct {
	end    int64       // newest tape time of all lanes; 0: the tape is empty
	tape   feed.TapeID // 0: unknown
	ts     int64       // of the record that tape is from
	poison int         // records that could not be decoded
	record feed.Record
}

// visit is for Tape.Tails.
func (g *glance) visit(_ int, _ int64, _, value []byte) error {
	g.read(value)
	return nil
}

// read decodes a record into g.record and reports whether that went well. What
// can't be decoded is counted and skipped: it must not keep a feeder from its
// work.
func (g *glance) read(value []byte) bool {
	if err := feed.Decode(value, &g.record); err != nil {
		g.poison++
		return false
	}
	ts := g.record.TS()
	g.end = max(g.end, ts)
	id := recordTape(&g.record)
	// At the same time a keyframe knows better: see (*Feeder).takeUp.
	if id != 0 && (g.tape == 0 || ts > g.ts || ts == g.ts && g.record.Kind == feed.KindKeyframe) {
		g.tape, g.ts = id, ts
	}
	return true
}

// enough is for Tape.Tails: one window of each lane has it all, unless it holds
// nothing but ticks.
func (g *glance) enough() bool { return g.tape != 0 }

// recordTape returns the id of the tape that r tells, or 0.
func recordTape(r *feed.Record) feed.TapeID {
	switch r.Kind {
	case feed.KindClock:
		return r.Clock.Tape
	case feed.KindKeyframe:
		return r.Keyframe.Tape
	case feed.KindSession:
		return r.Session.Tape
	default:
		return 0
	}
}

// tails finds what the books of a tape hold at its end: of each symbol, the
// newest keyframe and what came after it.
type tails struct {
	glance
	index   map[string]int // symbol -> its place in symbols
	symbols []tail
	missing int     // symbols whose keyframe is not found yet
	times   []int64 // newest tape time by lane
}

// tail is the end of one symbol's tape.
type tail struct {
	frame  *feed.Keyframe // the newest; nil: not found
	at     int64          // its offset
	last   [feed.Channels]feed.Tick
	status feed.Tick   // the last one; a correction may be newer in last
	trades []feed.Tick // those after frame, in any order
}

func newTails(books []book, lanes int) *tails {
	t := &tails{
		index: make(map[string]int, len(books)), symbols: make([]tail, len(books)),
		missing: len(books), times: make([]int64, lanes),
	}
	for i := range books {
		t.index[books[i].instrument.Symbol] = i
	}
	return t
}

// visit is for Tape.Tails.
func (t *tails) visit(lane int, offset int64, key, value []byte) error {
	if !t.read(value) {
		return nil
	}
	t.times[lane] = max(t.times[lane], t.record.TS())
	i, ok := t.index[string(key)]
	if !ok {
		return nil // a clock, a session, or a symbol that is traded no more
	}
	s := &t.symbols[i]
	switch t.record.Kind {
	case feed.KindKeyframe:
		if s.frame == nil {
			t.missing--
		}
		s.keyframe(t.record.Keyframe, offset)
	case feed.KindTrade, feed.KindQuote, feed.KindStatus, feed.KindCorrection, feed.KindCancel:
		s.tick(&t.record.Tick)
	}
	return nil
}

// enough is for Tape.Tails. It may only be asked between windows: then what is
// newer than a keyframe has been seen.
func (t *tails) enough() bool { return t.missing == 0 }

func (s *tail) keyframe(k *feed.Keyframe, offset int64) {
	if s.frame != nil && offset < s.at {
		return
	}
	s.frame, s.at = k, offset
	s.trades = slices.DeleteFunc(s.trades, func(t feed.Tick) bool { return t.Seq <= k.Trade.Seq })
}

func (s *tail) tick(t *feed.Tick) {
	if last := &s.last[t.Kind.Channel()]; t.Seq > last.Seq {
		*last = *t
	}
	switch {
	case t.Kind == feed.KindStatus && t.Seq > s.status.Seq:
		s.status = *t
	case t.Kind == feed.KindTrade && (s.frame == nil || t.Seq > s.frame.Trade.Seq):
		s.trades = append(s.trades, *t)
	}
}

// torn reports whether a symbol has ticks and no keyframe. A feeder writes a
// symbol's keyframe before its first tick, so the tape's beginning is gone, and
// with it the seqs of channels that were quiet since.
func (t *tails) torn() bool {
	return slices.ContainsFunc(t.symbols, func(s tail) bool { return s.frame == nil && s.ticks() })
}

// anyNew reports whether there is a symbol that isNew.
func (t *tails) anyNew() bool {
	for i := range t.symbols {
		if t.isNew(i) {
			return true
		}
	}
	return false
}

// isNew reports whether the tape holds nothing of a symbol.
func (t *tails) isNew(symbol int) bool {
	s := &t.symbols[symbol]
	return s.frame == nil && !s.ticks()
}

func (s *tail) ticks() bool {
	return slices.ContainsFunc(s.last[:], func(t feed.Tick) bool { return t.Seq > 0 })
}

// restore brings the books to the end of the tape.
func (t *tails) restore(books []book) error {
	var errs []error
	for i := range books {
		errs = append(errs, t.symbols[i].restore(&books[i]))
	}
	return errors.Join(errs...)
}

func (s *tail) restore(b *book) error {
	if k := s.frame; k != nil {
		if in := &k.Instrument; in.Decimals != b.instrument.Decimals || in.Scale != b.instrument.Scale {
			return fmt.Errorf("%s has %d and %d decimals of price and size on the tape, %d and %d in the universe; begin a new tape to change them",
				b.instrument.Symbol, in.Decimals, in.Scale, b.instrument.Decimals, b.instrument.Scale)
		}
		b.trade, b.quote, b.status = k.Trade, k.Quote, k.Status
		b.seqs = [feed.Channels]uint64{feed.Trades: k.Trade.Seq, feed.Quotes: k.Quote.Seq, feed.Statuses: k.NoteSeq}
		if day, err := charts.DecodeWindow(k.Day); err == nil {
			b.day = day
		}
	}
	slices.SortFunc(s.trades, func(a, b feed.Tick) int { return cmp.Compare(a.Seq, b.Seq) })
	for i := range s.trades {
		if t := &s.trades[i]; t.Seq > b.trade.Seq {
			b.take(t)
		}
	}
	for _, t := range []*feed.Tick{&s.last[feed.Quotes], &s.status} {
		if t.Seq > b.seqs[t.Kind.Channel()] {
			b.take(t)
		}
	}
	for channel := range s.last {
		b.seqs[channel] = max(b.seqs[channel], s.last[channel].Seq)
	}
	return nil
}
