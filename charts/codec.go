package charts

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/tapecast/tapecast/feed"
)

// The codec's first byte is its version. Integers are varints (prices relative
// to the open, zigzag); times and digests are 8 bytes, little endian.
const version = 1

var errShort = errors.New("bar record ends too early")

const flagSynthetic = 1

// AppendWindow appends the record of a window: what the bars topic holds under
// the symbol as key, and what a keyframe carries as the day's bar.
func AppendWindow(dst []byte, w *Window) []byte {
	dst = append(dst, version)
	dst = binary.AppendUvarint(dst, uint64(w.Interval))
	dst = binary.LittleEndian.AppendUint64(dst, uint64(w.Start))
	dst = binary.AppendUvarint(dst, uint64(w.Rev))
	var flags byte
	if w.Synthetic {
		flags |= flagSynthetic
	}
	dst = append(dst, flags)
	dst = binary.AppendVarint(dst, w.Next)
	dst = binary.AppendUvarint(dst, w.First)
	dst = binary.AppendUvarint(dst, w.Seq)
	dst = binary.AppendUvarint(dst, w.Count)
	dst = binary.LittleEndian.AppendUint64(dst, uint64(w.T0))
	dst = binary.AppendVarint(dst, w.TS-w.T0)
	dst = binary.AppendVarint(dst, int64(w.Open))
	dst = binary.AppendVarint(dst, int64(w.High-w.Open))
	dst = binary.AppendVarint(dst, int64(w.Low-w.Open))
	dst = binary.AppendVarint(dst, int64(w.Close-w.Open))
	dst = binary.AppendVarint(dst, int64(w.Volume))
	dst = binary.AppendVarint(dst, w.Turnover.Hi)
	dst = binary.AppendUvarint(dst, w.Turnover.Lo)
	return binary.LittleEndian.AppendUint64(dst, w.Digest)
}

// DecodeWindow reads a record that AppendWindow wrote.
func DecodeWindow(value []byte) (Window, error) {
	if len(value) == 0 {
		return Window{}, errShort
	}
	if value[0] != version {
		return Window{}, fmt.Errorf("bar record version %d is unknown, this build reads version %d", value[0], version)
	}
	d := reader{b: value[1:]}
	var w Window
	w.Interval = Interval(d.uvarint())
	w.Start = int64(d.fixed())
	w.Rev = uint32(d.uvarint())
	w.Synthetic = d.byte()&flagSynthetic != 0
	w.Next = d.varint()
	w.First, w.Seq, w.Count = d.uvarint(), d.uvarint(), d.uvarint()
	w.T0 = int64(d.fixed())
	w.TS = w.T0 + d.varint()
	w.Open = feed.Price(d.varint())
	w.High = w.Open + feed.Price(d.varint())
	w.Low = w.Open + feed.Price(d.varint())
	w.Close = w.Open + feed.Price(d.varint())
	w.Volume = feed.Size(d.varint())
	w.Turnover = Turnover{Hi: d.varint(), Lo: d.uvarint()}
	w.Digest = d.fixed()
	switch {
	case d.short:
		return Window{}, errShort
	case len(d.b) > 0:
		return Window{}, fmt.Errorf("bar record has %d bytes too many", len(d.b))
	case w.Interval <= 0 || w.Start != w.Interval.Floor(w.Start):
		return Window{}, fmt.Errorf("bar record starts at %d, which is no multiple of its interval", w.Start)
	case w.Count == 0:
		return Window{}, errors.New("bar record has no trade: windows without trades do not exist")
	case w.Low > min(w.Open, w.Close) || w.High < max(w.Open, w.Close):
		return Window{}, errors.New("bar record's open or close lies outside its low and high")
	}
	return w, nil
}

// reader reads fields one by one; after the end every read gives zero.
type reader struct {
	b     []byte
	short bool
}

func (d *reader) take(n int) {
	if n <= 0 || n > len(d.b) {
		d.short, d.b = true, nil
		return
	}
	d.b = d.b[n:]
}

func (d *reader) uvarint() uint64 {
	v, n := binary.Uvarint(d.b)
	d.take(n)
	return v
}

func (d *reader) varint() int64 {
	v, n := binary.Varint(d.b)
	d.take(n)
	return v
}

func (d *reader) fixed() uint64 {
	if len(d.b) < 8 {
		d.take(-1)
		return 0
	}
	v := binary.LittleEndian.Uint64(d.b)
	d.take(8)
	return v
}

func (d *reader) byte() byte {
	if len(d.b) == 0 {
		d.take(-1)
		return 0
	}
	v := d.b[0]
	d.take(1)
	return v
}
