// Package wire is the native protocol's messages in JSON: it implements
// fanout.Encoder and writes the messages of a session. Numbers are written from
// fixed point: prices with their instrument's decimals, sizes in their shortest
// form, times as integer microseconds (floor), which a JavaScript number holds
// exactly.
package wire

import (
	"encoding/hex"
	"strconv"

	"github.com/tapecast/tapecast/charts"
	"github.com/tapecast/tapecast/fanout"
	"github.com/tapecast/tapecast/feed"
)

// JSON encodes the messages of the native protocol, version 1. It has no state.
type JSON struct{}

var _ fanout.Encoder = JSON{}

// Trade appends a trade.
func (JSON) Trade(dst []byte, in *feed.Instrument, t *feed.Tick) []byte {
	dst = head(dst, `{"type":"trade","sym":"`, in)
	return append(tradeFields(dst, in, t), '}')
}

// Quote appends a quote; first is written only if quotes were merged.
func (JSON) Quote(dst []byte, in *feed.Instrument, t *feed.Tick, first uint64) []byte {
	dst = head(dst, `{"type":"quote","sym":"`, in)
	if first != t.Seq {
		dst = uintField(dst, `,"first":`, first)
	}
	return append(quoteFields(dst, in, t), '}')
}

// Note appends a status, correction or cancel.
func (JSON) Note(dst []byte, in *feed.Instrument, t *feed.Tick) []byte {
	switch t.Kind {
	case feed.KindCorrection:
		dst = head(dst, `{"type":"correction","sym":"`, in)
	case feed.KindCancel:
		dst = head(dst, `{"type":"cancel","sym":"`, in)
	default:
		dst = head(dst, `{"type":"status","sym":"`, in)
		return append(statusFields(dst, t), '}')
	}
	n := t.Note
	dst = uintField(dst, `,"seq":`, t.Seq)
	dst = uintField(dst, `,"ref":`, n.Ref)
	dst = timeField(dst, `,"ts":`, t.TS)
	dst = sizeField(priceField(dst, `,"old":{"p":`, n.OldPrice, in), n.OldSize, in)
	if t.Kind == feed.KindCorrection {
		dst = append(dst, '}')
		dst = sizeField(priceField(dst, `,"new":{"p":`, n.NewPrice, in), n.NewSize, in)
	}
	return append(dst, "}}"...)
}

// Agg appends a merged range of trades.
func (JSON) Agg(dst []byte, in *feed.Instrument, b *charts.Bar) []byte {
	dst = head(dst, `{"type":"agg","sym":"`, in)
	dst = uintField(dst, `,"first":`, b.First)
	dst = uintField(dst, `,"seq":`, b.Seq)
	dst = timeField(dst, `,"t0":`, b.T0)
	dst = timeField(dst, `,"ts":`, b.TS)
	dst = uintField(dst, `,"n":`, b.Count)
	return append(sums(dst, in, b), '}')
}

// Bar appends a bar, open or final.
func (JSON) Bar(dst []byte, in *feed.Instrument, w *charts.Window, final bool) []byte {
	dst = head(dst, `{"type":"bar","sym":"`, in)
	return append(barFields(dst, in, w, final), '}')
}

// Gap appends a range that can't be had. Its first is left out when the server
// can't know it: the gap then begins right after what the client has.
func (JSON) Gap(dst []byte, in *feed.Instrument, g fanout.Gap) []byte {
	dst = head(dst, `{"type":"gap","sym":"`, in)
	dst = append(dst, `,"channel":"`...)
	dst = append(dst, g.Channel.String()...)
	dst = append(dst, '"')
	if g.First != 0 {
		dst = uintField(dst, `,"first":`, g.First)
	}
	dst = uintField(dst, `,"seq":`, g.Seq)
	dst = append(dst, `,"reason":"`...)
	dst = append(dst, g.Reason.String()...)
	return append(dst, `"}`...)
}

// Snapshot appends a symbol's state. What is not known yet is left out.
func (JSON) Snapshot(dst []byte, s *fanout.State) []byte {
	in := s.Instrument
	dst = head(dst, `{"type":"snapshot","sym":"`, in)
	if s.Trade.Kind != 0 {
		dst = append(dst, `,"trade":{`...)
		dst = append(tradeFields(dst, in, &s.Trade), '}')
	}
	if s.Quote.Kind != 0 {
		dst = append(dst, `,"quote":{`...)
		dst = append(quoteFields(dst, in, &s.Quote), '}')
	}
	if last := s.Last[feed.Statuses]; last != 0 {
		dst = append(dst, `,"status":{`...)
		status := s.Status
		status.Seq = last
		dst = append(statusFields(dst, &status), '}')
	}
	if s.Day.Count != 0 {
		dst = append(dst, `,"day":{`...)
		dst = append(barFields(dst, in, &s.Day, false), '}')
	}
	dst = append(dst, `,"tape":"`...)
	dst = append(dst, s.Tape.String()...)
	return append(dst, `"}`...)
}

func head(dst []byte, begin string, in *feed.Instrument) []byte {
	dst = append(dst, begin...)
	dst = append(dst, in.Symbol...)
	return append(dst, '"')
}

// comma appends a field's name, without its comma if it is an object's first.
func name(dst []byte, field string) []byte {
	if dst[len(dst)-1] == '{' {
		field = field[1:]
	}
	return append(dst, field...)
}

func uintField(dst []byte, field string, v uint64) []byte {
	return strconv.AppendUint(name(dst, field), v, 10)
}

func timeField(dst []byte, field string, ns int64) []byte {
	us := ns / 1000
	if ns%1000 < 0 {
		us--
	}
	return strconv.AppendInt(name(dst, field), us, 10)
}

func priceField(dst []byte, field string, p feed.Price, in *feed.Instrument) []byte {
	return feed.AppendPrice(name(dst, field), p, in.Decimals)
}

func sizeField(dst []byte, v feed.Size, in *feed.Instrument) []byte {
	return feed.AppendSize(append(dst, `,"v":`...), v, in.Scale)
}

func tradeFields(dst []byte, in *feed.Instrument, t *feed.Tick) []byte {
	dst = uintField(dst, `,"seq":`, t.Seq)
	dst = timeField(dst, `,"ts":`, t.TS)
	if t.XTS != 0 {
		dst = timeField(dst, `,"xts":`, t.XTS)
	}
	dst = sizeField(priceField(dst, `,"p":`, t.Price, in), t.Size, in)
	switch t.Side {
	case feed.Buy:
		return append(dst, `,"side":"b"`...)
	case feed.Sell:
		return append(dst, `,"side":"s"`...)
	default:
		return dst
	}
}

func quoteFields(dst []byte, in *feed.Instrument, t *feed.Tick) []byte {
	dst = uintField(dst, `,"seq":`, t.Seq)
	dst = timeField(dst, `,"ts":`, t.TS)
	dst = priceField(dst, `,"bp":`, t.Price, in)
	dst = feed.AppendSize(append(dst, `,"bv":`...), t.Size, in.Scale)
	dst = priceField(dst, `,"ap":`, t.Ask, in)
	return feed.AppendSize(append(dst, `,"av":`...), t.AskSize, in.Scale)
}

func statusFields(dst []byte, t *feed.Tick) []byte {
	dst = uintField(dst, `,"seq":`, t.Seq)
	if t.Note == nil {
		// Only corrections and cancels so far: the symbol has been trading.
		return append(dst, `,"state":"trading","reason":""`...)
	}
	dst = timeField(dst, `,"ts":`, t.TS)
	dst = append(dst, `,"state":"`...)
	dst = append(dst, t.Note.State.String()...)
	dst = append(dst, `","reason":`...)
	return appendText(dst, t.Note.Reason)
}

func barFields(dst []byte, in *feed.Instrument, w *charts.Window, final bool) []byte {
	dst = append(name(dst, `,"i":"`), w.Interval.String()...)
	dst = append(dst, '"')
	dst = timeField(dst, `,"ts":`, w.Start)
	dst = sums(dst, in, &w.Bar)
	dst = uintField(dst, `,"n":`, w.Count)
	dst = uintField(dst, `,"first":`, w.First)
	dst = uintField(dst, `,"seq":`, w.Seq)
	dst = append(dst, `,"final":`...)
	dst = strconv.AppendBool(dst, final)
	if w.Synthetic {
		dst = append(dst, `,"synthetic":true`...)
	}
	return uintField(dst, `,"rev":`, uint64(w.Rev))
}

// sums appends prices, volume, turnover and digest.
func sums(dst []byte, in *feed.Instrument, b *charts.Bar) []byte {
	dst = priceField(dst, `,"o":`, b.Open, in)
	dst = priceField(dst, `,"h":`, b.High, in)
	dst = priceField(dst, `,"l":`, b.Low, in)
	dst = priceField(dst, `,"c":`, b.Close, in)
	dst = sizeField(dst, b.Volume, in)
	dst = append(dst, `,"to":"`...)
	dst = b.Turnover.Append(dst, int(in.Decimals)+int(in.Scale))
	dst = append(dst, `","d":"`...)
	var digest [8]byte
	for i := range digest {
		digest[i] = byte(b.Digest >> (56 - 8*i))
	}
	dst = hex.AppendEncode(dst, digest[:])
	return append(dst, '"')
}
