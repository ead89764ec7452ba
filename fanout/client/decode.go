package client

import (
	"errors"
	"fmt"
	"time"

	"github.com/tapecast/tapecast/charts"
	"github.com/tapecast/tapecast/feed"
)

// UnknownSymbolError is what Decode says of a message whose symbol is not among
// the symbols it was given, so that its prices have no scale.
type UnknownSymbolError struct{ Symbol string }

// Error says which symbol it was.
func (e *UnknownSymbolError) Error() string {
	return fmt.Sprintf("symbol %.40q is not in the list of symbols", e.Symbol)
}

// Decode reads the JSON text of one message into m, which it overwrites. m.Raw
// is raw itself; nothing else of m refers to it. Prices and sizes are read at
// the scales that symbols says, digit by digit. Types and fields that are not
// known are ignored: of a message of another type only Type is set. Trades,
// quotes and aggs do not allocate. On an error m is not to be used.
func Decode(m *Message, raw []byte, symbols *Symbols) error {
	*m = Message{Raw: raw}
	d := decoder{m: m}
	if err := d.f.split(raw); err != nil {
		return err
	}
	if d.f.typ == nil {
		return errors.New(`message has no "type"`)
	}
	m.Type = typeOf(d.f.typ)
	d.message(symbols)
	if d.err != nil {
		return fmt.Errorf("%.40s message: %w", string(m.Type), d.err)
	}
	return nil
}

// typeOf returns the type of that name, shared if it is known.
func typeOf(span []byte) Type {
	name := bare(span)
	for _, t := range [...]Type{
		TypeTrade, TypeQuote, TypeAgg, TypeBar, TypeHeartbeat, TypeAt, TypeHello, TypeStatus, TypeCancel, TypeCorrection,
		TypeSnapshot, TypeSubscribed, TypeUnsubscribed, TypeResolution, TypeGap, TypeReset, TypeError, TypeBye, TypePong,
	} {
		if string(name) == string(t) {
			return t
		}
	}
	return Type(name)
}

// decoder turns the fields of one message into m. After the first failure err
// says what was wrong and the rest does not matter.
type decoder struct {
	m   *Message
	f   fields // by value, which keeps them off the heap
	err error
}

func (d *decoder) fail(field string, err error) {
	if d.err == nil && err != nil {
		d.err = fmt.Errorf("%q: %w", field, err)
	}
}

func (d *decoder) message(symbols *Symbols) {
	switch d.m.Type {
	case TypeTrade, TypeQuote, TypeAgg, TypeBar, TypeStatus, TypeCancel, TypeCorrection:
		if d.instrument(symbols) {
			d.part()
		}
	case TypeSnapshot:
		if d.instrument(symbols) {
			d.snapshot()
		}
	case TypeGap:
		d.gap()
	case TypeHello, TypeSubscribed, TypeUnsubscribed, TypeResolution, TypeReset, TypeHeartbeat, TypeError, TypeBye, TypeAt, TypePong:
		d.control()
	}
}

func (d *decoder) instrument(symbols *Symbols) bool {
	in := symbols.lookup(bare(d.f.sym))
	if in == nil {
		name := d.text("sym", d.f.sym) // it may be written with escapes
		in = symbols.Instrument(name)
		switch {
		case d.err != nil || in != nil:
		case name == "":
			d.err = errors.New(`no "sym"`)
		default:
			d.err = &UnknownSymbolError{Symbol: name}
		}
	}
	if in != nil {
		d.m.Symbol, d.m.Instrument = in.Symbol, in
	}
	return in != nil
}

// part decodes a message of a known symbol, or one within a snapshot.
func (d *decoder) part() {
	m, f := d.m, &d.f
	m.TS = d.signed("ts", f.ts)
	switch m.Type {
	case TypeTrade:
		d.trade()
	case TypeQuote:
		d.ranged(feed.Quotes)
		m.Bid, m.BidSize = d.price("bp", f.bp), d.size("bv", f.bv)
		m.Ask, m.AskSize = d.price("ap", f.ap), d.size("av", f.av)
	case TypeAgg:
		d.ranged(feed.Trades)
		d.bar()
		m.Bar.T0, m.Bar.TS = d.signed("t0", f.t0)*1000, m.TS*1000
	case TypeBar:
		d.window()
	case TypeStatus:
		d.ranged(feed.Statuses)
		m.State, m.Reason = d.text("state", f.state), d.text("reason", f.reason)
	case TypeCancel, TypeCorrection:
		d.ranged(feed.Statuses)
		m.Ref = d.unsigned("ref", f.ref)
		m.Old, m.New = d.print("old", f.old), d.print("new", f.newer)
	}
}

// ranged reads first and seq; without first the range is seq alone.
func (d *decoder) ranged(c feed.Channel) {
	m := d.m
	m.Channel, m.Seq = c, d.unsigned("seq", d.f.seq)
	m.First = m.Seq
	if d.f.first != nil {
		m.First = d.unsigned("first", d.f.first)
	}
	if m.First == 0 || m.First > m.Seq {
		d.fail("seq", fmt.Errorf("%d..%d is not a range of seqs", m.First, m.Seq))
	}
}

func (d *decoder) trade() {
	m, f := d.m, &d.f
	d.ranged(feed.Trades)
	if f.p == nil || f.v == nil {
		d.fail("p", errors.New("a trade needs a price and a size"))
	}
	m.Price, m.Size = d.price("p", f.p), d.size("v", f.v)
	switch string(bare(f.side)) {
	case "b":
		m.Side = feed.Buy
	case "s":
		m.Side = feed.Sell
	}
	m.Bar = charts.FromTrade(&feed.Tick{Seq: m.Seq, TS: m.TS * 1000, Price: m.Price, Size: m.Size})
	if m.First != m.Seq {
		d.fail("first", errors.New("a trade is a single one"))
	}
}

// bar reads what an agg and a bar have in common.
func (d *decoder) bar() {
	m, f := d.m, &d.f
	if f.o == nil || f.h == nil || f.l == nil || f.c == nil || f.v == nil || f.n == nil {
		d.fail("o", errors.New("o, h, l, c, v and n are needed"))
	}
	b := &m.Bar
	b.First, b.Seq, b.Count = m.First, m.Seq, d.unsigned("n", f.n)
	b.Open, b.High, b.Low, b.Close = d.price("o", f.o), d.price("h", f.h), d.price("l", f.l), d.price("c", f.c)
	b.Volume = d.size("v", f.v)
	if f.to != nil && d.err == nil {
		v, err := turnover(f.to, int(m.Instrument.Decimals)+int(m.Instrument.Scale))
		d.fail("to", err)
		b.Turnover = v
	}
	if f.d != nil {
		v, err := digest(f.d)
		d.fail("d", err)
		b.Digest = v
	}
}

// window reads a bar message, whose range may be missing: made-up history has
// no seqs.
func (d *decoder) window() {
	m, f := d.m, &d.f
	m.First, m.Seq = d.unsigned("first", f.first), d.unsigned("seq", f.seq)
	d.bar()
	if f.i != nil {
		i, err := charts.ParseInterval(string(bare(f.i)))
		d.fail("i", err)
		m.Interval = i
	}
	m.Final = string(f.final) == "true"
	m.Rev = uint32(d.unsigned("rev", f.rev))
}

func (d *decoder) gap() {
	m, f := d.m, &d.f
	m.Symbol, m.Reason, m.TS = d.text("sym", f.sym), d.text("reason", f.reason), d.signed("ts", f.ts)
	m.First, m.Seq = d.unsigned("first", f.first), d.unsigned("seq", f.seq)
	switch string(bare(f.channel)) {
	case "trades":
		m.Channel = feed.Trades
	case "quotes":
		m.Channel = feed.Quotes
	case "statuses":
		m.Channel = feed.Statuses
	default:
		d.fail("channel", fmt.Errorf("%.40q is none of trades, quotes and statuses", bare(f.channel)))
	}
	if m.Symbol == "" || m.Seq == 0 || m.First > m.Seq {
		d.fail("seq", fmt.Errorf("a gap of %.40q at %d..%d is no range of seqs", m.Symbol, m.First, m.Seq))
	}
}

func (d *decoder) snapshot() {
	m, f := d.m, &d.f
	m.TS, m.Tape = d.signed("ts", f.ts), d.text("tape", f.tape)
	m.Trade = d.inner("trade", TypeTrade, f.trade)
	m.Quote = d.inner("quote", TypeQuote, f.quote)
	m.Status = d.inner("status", TypeStatus, f.status)
	m.Day = d.inner("day", TypeBar, f.day)
}

// inner decodes a part of a snapshot, or returns nil where there is none.
func (d *decoder) inner(field string, t Type, span []byte) *Message {
	if span == nil || d.err != nil {
		return nil
	}
	part := decoder{m: &Message{Type: t, Raw: span, Symbol: d.m.Symbol, Instrument: d.m.Instrument}}
	if err := part.f.split(span); err != nil {
		d.fail(field, err)
		return nil
	}
	part.part()
	d.fail(field, part.err)
	return part.m
}

func (d *decoder) print(field string, span []byte) Print {
	if span == nil || d.err != nil {
		return Print{}
	}
	part := decoder{m: d.m}
	if err := part.f.split(span); err != nil {
		d.fail(field, err)
		return Print{}
	}
	p := Print{Price: part.price("p", part.f.p), Size: part.size("v", part.f.v)}
	d.fail(field, part.err)
	return p
}

func (d *decoder) price(field string, span []byte) feed.Price {
	if span == nil {
		return 0
	}
	v, err := fixed(span, d.m.Instrument.Decimals)
	d.fail(field, err)
	return feed.Price(v)
}

func (d *decoder) size(field string, span []byte) feed.Size {
	if span == nil {
		return 0
	}
	v, err := fixed(span, d.m.Instrument.Scale)
	d.fail(field, err)
	return feed.Size(v)
}

func (d *decoder) unsigned(field string, span []byte) uint64 {
	if span == nil {
		return 0
	}
	v, err := unsigned(span)
	d.fail(field, err)
	return v
}

func (d *decoder) signed(field string, span []byte) int64 {
	if span == nil {
		return 0
	}
	if v, ok := fixedFast(span, 0); ok {
		return v
	}
	v, err := signed(span)
	d.fail(field, err)
	return v
}

func (d *decoder) text(field string, span []byte) string {
	if span == nil {
		return ""
	}
	t, err := text(span)
	d.fail(field, err)
	return t
}

func (d *decoder) millis(field string, span []byte) time.Duration {
	const most = int64(24 * time.Hour / time.Millisecond) // more is as good as for ever
	return time.Duration(min(d.signed(field, span), most)) * time.Millisecond
}
