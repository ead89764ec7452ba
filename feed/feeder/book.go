package feeder

import (
	"github.com/tapecast/tapecast/charts"
	"github.com/tapecast/tapecast/feed"
)

// book is what the feeder knows of one symbol: all that its keyframe tells.
type book struct {
	instrument feed.Instrument
	key        []byte
	lane       int

	seqs   [feed.Channels]uint64 // the last ones given
	trade  feed.Tick             // the last one; Kind 0: none yet
	quote  feed.Tick
	status feed.Tick
	day    charts.Window // of the last trade's UTC day
}

func newBook(in feed.Instrument, lanes int) book {
	return book{instrument: in, key: []byte(in.Symbol), lane: feed.Lane(in.Symbol, lanes)}
}

// number gives a new tick its seq.
func (b *book) number(t *feed.Tick) {
	channel := t.Kind.Channel()
	b.seqs[channel]++
	t.Seq = b.seqs[channel]
}

// take makes a numbered tick the last of its kind.
func (b *book) take(t *feed.Tick) {
	switch t.Kind {
	case feed.KindTrade:
		b.trade = *t
		b.addToDay(t)
	case feed.KindQuote:
		b.quote = *t
	case feed.KindStatus:
		b.status = *t
	}
}

func (b *book) addToDay(t *feed.Tick) {
	if start := charts.Day.Floor(t.TS); b.day.Count == 0 || b.day.Start != start {
		b.day = charts.Window{Interval: charts.Day, Start: start}
	}
	b.day.Add(t)
}

// keyframe fills k, which keeps the memory of its Day.
func (b *book) keyframe(k *feed.Keyframe, tape feed.TapeID, ts int64) {
	day := k.Day[:0]
	if b.day.Count > 0 && b.day.Start == charts.Day.Floor(ts) {
		day = charts.AppendWindow(day, &b.day)
	}
	*k = feed.Keyframe{
		TS: ts, Tape: tape, Instrument: b.instrument, Day: day,
		Trade: b.trade, Quote: b.quote, Status: b.status, NoteSeq: b.seqs[feed.Statuses],
	}
}

// price returns where the symbol stands: the middle of its quote, else its last
// trade, else 0.
func (b *book) price() feed.Price {
	if b.quote.Kind != 0 {
		return b.quote.Price + (b.quote.Ask-b.quote.Price)/2
	}
	return b.trade.Price
}
