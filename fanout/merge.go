package fanout

import (
	"github.com/tapecast/tapecast/charts"
	"github.com/tapecast/tapecast/feed"
)

// merge is what neighbouring ticks of a symbol become: its trades one agg, its
// quotes the last of them.
type merge struct {
	bar        charts.Bar
	trade      feed.Tick // the last one
	quote      feed.Tick // the last one
	firstQuote uint64    // 0: no quote
	first      int64     // lane offset of the oldest tick in it
	last       int64     // lane offset of the newest tick in it
	loseLow    bool      // see Faults
}

func (m *merge) empty() bool { return m.bar.Count == 0 && m.firstQuote == 0 }

// add takes a trade or quote in. It does not allocate.
func (m *merge) add(t *feed.Tick, offset int64) {
	if m.empty() {
		m.first = offset
	}
	m.last = offset
	if t.Kind == feed.KindQuote {
		if m.firstQuote == 0 {
			m.firstQuote = t.Seq
		}
		m.quote = *t
		return
	}
	m.bar.Add(t)
	if m.loseLow {
		m.bar.Low = t.Price
	}
	m.trade = *t
}

// reset empties it.
func (m *merge) reset() { m.bar, m.firstQuote = charts.Bar{}, 0 }

// trades appends the message of the trades, if there are any. One trade is sent
// as it is.
func (m *merge) trades(dst []byte, e Encoder, in *feed.Instrument) []byte {
	switch m.bar.Count {
	case 0:
		return dst
	case 1:
		return e.Trade(dst, in, &m.trade)
	default:
		return e.Agg(dst, in, &m.bar)
	}
}

// quotes appends the message of the quotes, if there are any. It goes after that
// of the trades, so that a quote is never older than a trade before it.
func (m *merge) quotes(dst []byte, e Encoder, in *feed.Instrument) []byte {
	if m.firstQuote == 0 {
		return dst
	}
	return e.Quote(dst, in, &m.quote, m.firstQuote)
}

// crosses reports whether ts is in another UTC minute than what is in it.
func (m *merge) crosses(ts int64) bool {
	minute := charts.Minute.Floor(ts)
	return m.bar.Count > 0 && charts.Minute.Floor(m.bar.T0) != minute ||
		m.firstQuote != 0 && charts.Minute.Floor(m.quote.TS) != minute
}
