package fanout

import (
	"github.com/tapecast/tapecast/charts"
	"github.com/tapecast/tapecast/feed"
)

// merge is the merged beginning of a private range: neighbouring trades become
// one agg, neighbouring quotes the last of them. It never crosses a UTC minute,
// a status, correction or cancel, or a gap.
type merge struct {
	left int // entries still to merge
	// What is pending: the trades, with the last of them, and the quotes.
	bar        charts.Bar
	trade      feed.Tick
	quote      feed.Tick
	firstQuote uint64
	offset     int64 // of the newest entry in it
	loseLow    bool  // see Faults
}

// take merges an entry, and reports false if it is to be sent as it is.
func (m *merge) take(p *private, e *entry) bool {
	if m.left == 0 {
		m.flush(p)
		return false
	}
	m.left--
	if e.GapFirst != 0 || e.Kind.Channel() == feed.Statuses {
		m.flush(p)
		return false
	}
	if m.crosses(e.TS) {
		m.flush(p)
	}
	m.offset = e.Offset
	if e.Kind == feed.KindQuote {
		if m.firstQuote == 0 {
			m.firstQuote = e.Seq
		}
		m.quote = e.Tick
		return true
	}
	m.bar.Add(&e.Tick)
	if m.loseLow {
		m.bar.Low = e.Price
	}
	m.trade = e.Tick
	return true
}

// crosses reports whether ts is in another UTC minute than what is pending.
func (m *merge) crosses(ts int64) bool {
	minute := charts.Minute.Floor(ts)
	return m.bar.Count > 0 && charts.Minute.Floor(m.bar.T0) != minute ||
		m.firstQuote != 0 && charts.Minute.Floor(m.quote.TS) != minute
}

// flush sends what is pending: the trades, then the quote, which is never older
// than they are. A merge of one trade is sent as that trade.
func (m *merge) flush(p *private) {
	in := p.s.key.symbol.State().Instrument
	switch {
	case m.bar.Count == 1:
		p.msg = p.encoder().Trade(p.msg[:0], in, &m.trade)
		p.put(m.offset)
	case m.bar.Count > 1:
		p.msg = p.encoder().Agg(p.msg[:0], in, &m.bar)
		p.put(m.offset)
	}
	if m.firstQuote != 0 {
		p.msg = p.encoder().Quote(p.msg[:0], in, &m.quote, m.firstQuote)
		p.put(m.offset)
	}
	m.bar, m.firstQuote = charts.Bar{}, 0
}

// flushMerge sends what a merge still holds, so that a piece ends with whole
// messages.
func (p *private) flushMerge() {
	if m := p.s.join.merge; m != nil {
		m.flush(p)
	}
}
