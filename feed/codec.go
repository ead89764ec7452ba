package feed

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// The codec's version is the upper half of a record's first byte, its kind the
// lower. All integers are varints (signed ones zigzag) except times and ids,
// which are 8 bytes, little endian. A reader refuses versions it does not know.
const version = 1

// What is wrong with a record that ends too early, or has a varint that can't be.
var (
	errShort = errors.New("record ends too early")
	errLarge = errors.New("record has a number that does not fit 64 bits")
)

const (
	sideMask = 0x03
	hasXTS   = 0x80 // in the side byte: an exchange time follows
)

// Presence bits of a keyframe.
const (
	hasTrade = 1 << iota
	hasQuote
	hasStatus
)

// AppendTick appends the record of a trade, quote, status, correction or
// cancel. It does not allocate when dst has room.
func AppendTick(dst []byte, t *Tick) []byte {
	dst = append(dst, version<<4|byte(t.Kind))
	return appendTickBody(dst, t)
}

func appendTickBody(dst []byte, t *Tick) []byte {
	dst = binary.AppendUvarint(dst, t.Seq)
	dst = binary.LittleEndian.AppendUint64(dst, uint64(t.TS))
	switch t.Kind {
	case KindTrade:
		return appendTrade(dst, t)
	case KindQuote:
		dst = binary.AppendVarint(dst, int64(t.Price))
		dst = binary.AppendVarint(dst, int64(t.Size))
		dst = binary.AppendVarint(dst, int64(t.Ask-t.Price))
		return binary.AppendVarint(dst, int64(t.AskSize))
	default:
		return appendNote(dst, t)
	}
}

func appendTrade(dst []byte, t *Tick) []byte {
	dst = binary.AppendVarint(dst, int64(t.Price))
	dst = binary.AppendVarint(dst, int64(t.Size))
	if t.XTS == 0 {
		return append(dst, byte(t.Side))
	}
	dst = append(dst, byte(t.Side)|hasXTS)
	return binary.AppendVarint(dst, t.XTS-t.TS)
}

func appendNote(dst []byte, t *Tick) []byte {
	n := t.Note
	if t.Kind == KindStatus {
		return appendString(append(dst, byte(n.State)), n.Reason)
	}
	dst = binary.AppendUvarint(dst, n.Ref)
	dst = binary.AppendVarint(dst, int64(n.OldPrice))
	dst = binary.AppendVarint(dst, int64(n.OldSize))
	if t.Kind == KindCancel {
		return dst
	}
	dst = binary.AppendVarint(dst, int64(n.NewPrice))
	return binary.AppendVarint(dst, int64(n.NewSize))
}

// appendString appends at most 255 bytes of s behind their count.
func appendString(dst []byte, s string) []byte {
	if len(s) > math.MaxUint8 {
		s = s[:math.MaxUint8]
	}
	return append(append(dst, byte(len(s))), s...)
}

// AppendClock appends the record of a clock.
func AppendClock(dst []byte, c *Clock) []byte {
	dst = append(dst, version<<4|byte(KindClock))
	dst = binary.LittleEndian.AppendUint64(dst, uint64(c.TS))
	dst = binary.LittleEndian.AppendUint64(dst, uint64(c.Tape))
	return binary.AppendUvarint(dst, uint64(c.Symbols))
}

// AppendSession appends the record of a feeder's start.
func AppendSession(dst []byte, s *Session) []byte {
	dst = append(dst, version<<4|byte(KindSession))
	dst = binary.LittleEndian.AppendUint64(dst, uint64(s.TS))
	dst = binary.LittleEndian.AppendUint64(dst, uint64(s.Tape))
	dst = binary.LittleEndian.AppendUint64(dst, s.Seed)
	dst = binary.LittleEndian.AppendUint64(dst, uint64(s.Start))
	return appendString(dst, s.Scenario)
}

// AppendKeyframe appends the record of a keyframe. The symbol itself is the
// record's key and not repeated.
func AppendKeyframe(dst []byte, k *Keyframe) []byte {
	dst = append(dst, version<<4|byte(KindKeyframe))
	dst = binary.LittleEndian.AppendUint64(dst, uint64(k.TS))
	dst = binary.LittleEndian.AppendUint64(dst, uint64(k.Tape))
	in := &k.Instrument
	dst = appendString(dst, in.Name)
	dst = append(dst, byte(in.Class), in.Decimals, in.Scale)
	dst = binary.AppendVarint(dst, int64(in.Tick))
	dst = binary.AppendVarint(dst, int64(in.Lot))
	dst = binary.AppendUvarint(dst, k.NoteSeq)
	var has byte
	for i, t := range []*Tick{&k.Trade, &k.Quote, &k.Status} {
		if t.Kind != 0 {
			has |= 1 << i
		}
	}
	dst = append(dst, has)
	for _, t := range []*Tick{&k.Trade, &k.Quote, &k.Status} {
		if t.Kind != 0 {
			dst = appendTickBody(dst, t)
		}
	}
	dst = binary.AppendUvarint(dst, uint64(len(k.Day)))
	return append(dst, k.Day...)
}

// Decode reads one record into r, which it overwrites. Nothing of r refers to
// value afterwards. A keyframe's symbol is the record's key: the caller sets it.
// Trades, quotes and clocks do not allocate. On an error r is not to be used.
func Decode(value []byte, r *Record) error {
	*r = Record{}
	if len(value) == 0 {
		return errShort
	}
	if v := value[0] >> 4; v != version {
		return fmt.Errorf("record version %d is unknown, this build reads version %d", v, version)
	}
	r.Kind = Kind(value[0] & 0x0f)
	d := decoder{b: value[1:]}
	switch r.Kind {
	case KindTrade, KindQuote, KindStatus, KindCorrection, KindCancel:
		d.tick(&r.Tick, r.Kind)
	case KindClock:
		r.Clock = Clock{TS: d.time(), Tape: TapeID(d.fixed()), Symbols: d.count()}
	case KindKeyframe:
		r.Keyframe = d.keyframe()
	case KindSession:
		r.Session = &Session{
			TS: d.time(), Tape: TapeID(d.fixed()), Seed: d.fixed(), Start: d.time(), Scenario: d.text(),
		}
	default:
		return fmt.Errorf("record kind %d is unknown", r.Kind)
	}
	return d.end()
}
