package feed

import (
	"encoding/binary"
	"fmt"
	"math"
)

// decoder reads a record's fields one by one. After the first failure every
// read gives zero and err says what was wrong.
type decoder struct {
	b   []byte
	err error
}

// end reports the first failure, or that bytes are left over.
func (d *decoder) end() error {
	if d.err == nil && len(d.b) > 0 {
		d.err = fmt.Errorf("record has %d bytes too many", len(d.b))
	}
	return d.err
}

func (d *decoder) fail(err error) {
	if d.err == nil {
		d.err = err
	}
	d.b = nil
}

// skip steps over a varint: its length is 0 if it has no end, and negative if it
// is too large.
func (d *decoder) skip(n int) {
	switch {
	case n > 0:
		d.b = d.b[n:]
	case n == 0:
		d.fail(errShort)
	default:
		d.fail(errLarge)
	}
}

func (d *decoder) uvarint() uint64 {
	v, n := binary.Uvarint(d.b)
	d.skip(n)
	return v
}

func (d *decoder) varint() int64 {
	v, n := binary.Varint(d.b)
	d.skip(n)
	return v
}

func (d *decoder) fixed() uint64 {
	if len(d.b) < 8 {
		d.fail(errShort)
		return 0
	}
	v := binary.LittleEndian.Uint64(d.b)
	d.b = d.b[8:]
	return v
}

func (d *decoder) time() int64 { return int64(d.fixed()) }

func (d *decoder) byte() byte {
	if len(d.b) == 0 {
		d.fail(errShort)
		return 0
	}
	v := d.b[0]
	d.b = d.b[1:]
	return v
}

// bytes returns the next n bytes, which belong to the record.
func (d *decoder) bytes(n uint64) []byte {
	if n > uint64(len(d.b)) {
		d.fail(errShort)
		return nil
	}
	v := d.b[:n]
	d.b = d.b[n:]
	return v
}

func (d *decoder) text() string { return string(d.bytes(uint64(d.byte()))) }

func (d *decoder) count() int {
	v := d.uvarint()
	if v > math.MaxInt32 {
		d.fail(fmt.Errorf("count %d is out of range", v))
		return 0
	}
	return int(v)
}

func (d *decoder) tick(t *Tick, kind Kind) {
	t.Kind = kind
	t.Seq = d.uvarint()
	t.TS = d.time()
	switch kind {
	case KindTrade:
		d.trade(t)
	case KindQuote:
		t.Price, t.Size = Price(d.varint()), Size(d.varint())
		t.Ask, t.AskSize = t.Price+Price(d.varint()), Size(d.varint())
	default:
		t.Note = d.note(kind)
	}
	if t.Seq == 0 {
		d.fail(fmt.Errorf("seq 0: seqs begin at 1"))
	}
}

func (d *decoder) trade(t *Tick) {
	t.Price, t.Size = Price(d.varint()), Size(d.varint())
	side := d.byte()
	if side&hasXTS != 0 {
		t.XTS = t.TS + d.varint()
	}
	t.Side = Side(side & sideMask)
	if side&^(hasXTS|sideMask) != 0 || t.Side > Sell {
		d.fail(fmt.Errorf("side byte %#x is unknown", side))
	}
}

func (d *decoder) note(kind Kind) *Note {
	if kind == KindStatus {
		n := &Note{State: State(d.byte()), Reason: d.text()}
		if d.err == nil && n.State != Trading && n.State != Halted {
			d.fail(fmt.Errorf("state %d is unknown", n.State))
		}
		return n
	}
	n := &Note{Ref: d.uvarint(), OldPrice: Price(d.varint()), OldSize: Size(d.varint())}
	if kind == KindCorrection {
		n.NewPrice, n.NewSize = Price(d.varint()), Size(d.varint())
	}
	return n
}

func (d *decoder) keyframe() *Keyframe {
	k := &Keyframe{TS: d.time(), Tape: TapeID(d.fixed())}
	in := &k.Instrument
	in.Name = d.text()
	in.Class, in.Decimals, in.Scale = Class(d.byte()), d.byte(), d.byte()
	in.Tick, in.Lot = Price(d.varint()), Size(d.varint())
	k.NoteSeq = d.uvarint()
	has := d.byte()
	if has&hasTrade != 0 {
		d.tick(&k.Trade, KindTrade)
	}
	if has&hasQuote != 0 {
		d.tick(&k.Quote, KindQuote)
	}
	if has&hasStatus != 0 {
		d.tick(&k.Status, KindStatus)
	}
	k.Day = append([]byte(nil), d.bytes(d.uvarint())...)
	switch {
	case d.err != nil:
	case has&^(hasTrade|hasQuote|hasStatus) != 0:
		d.fail(fmt.Errorf("keyframe presence byte %#x is unknown", has))
	case in.Class != Stock && in.Class != Crypto:
		d.fail(fmt.Errorf("keyframe class %d is unknown", in.Class))
	case in.Decimals > MaxDecimals || in.Scale > MaxDecimals:
		d.fail(fmt.Errorf("keyframe scales %d and %d: at most %d decimals", in.Decimals, in.Scale, MaxDecimals))
	case in.Tick <= 0 || in.Lot <= 0:
		d.fail(fmt.Errorf("keyframe tick %d and lot %d must be positive", in.Tick, in.Lot))
	}
	return k
}
