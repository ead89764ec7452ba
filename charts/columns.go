package charts

import (
	"sync/atomic"

	"github.com/tapecast/tapecast/feed"
)

// chunkRows is how many windows a chunk holds.
const chunkRows = 128

// chunk holds neighbouring windows, ascending. The first n rows never change, so
// that readers who load n first need no lock; the writer fills row n and then
// raises n. One of packed and plain is set.
type chunk struct {
	n      atomic.Int32
	packed *columns
	plain  *[chunkRows]Window // where a window did not fit packed
}

// newChunk returns a chunk of one window.
func newChunk(w *Window) *chunk {
	c := &chunk{packed: &columns{base: *w}}
	if !c.put(0, w) {
		return c.with(0, w)
	}
	c.n.Store(1)
	return c
}

// put writes a row that no reader looks at yet. It reports false, and the row is
// not usable, if the window does not fit.
func (c *chunk) put(row int, w *Window) bool {
	if c.plain != nil {
		c.plain[row] = stored(w)
		return true
	}
	c.packed.put(row, w)
	return c.packed.at(row) == stored(w)
}

// with returns a copy of c in which w is the row, which may be the next one.
func (c *chunk) with(row int, w *Window) *chunk {
	n := int(c.n.Load())
	d := &chunk{}
	if c.packed != nil {
		packed := *c.packed
		d.packed = &packed
	} else {
		plain := *c.plain
		d.plain = &plain
	}
	if !d.put(row, w) {
		d.widen(n)
		d.put(row, w)
	}
	d.n.Store(int32(max(n, row+1)))
	return d
}

// widen turns n packed rows into plain ones. No reader may know c yet.
func (c *chunk) widen(n int) {
	c.plain = new([chunkRows]Window)
	for row := range n {
		c.plain[row] = c.packed.at(row)
	}
	c.packed = nil
}

func (c *chunk) at(row int) Window {
	if c.plain != nil {
		return c.plain[row]
	}
	return c.packed.at(row)
}

func (c *chunk) start(row int) int64 {
	if c.plain != nil {
		return c.plain[row].Start
	}
	return c.packed.base.Start + int64(c.packed.start[row])*int64(c.packed.base.Interval)
}

// stored is what a series keeps of a window: all but the times of its trades.
func stored(w *Window) Window {
	s := *w
	s.T0, s.TS = 0, 0
	return s
}

// columns holds windows in 58 bytes each, as differences from the first one and
// within a row. Windows whose differences are too large for their column, or
// whose seqs have a hole, do not fit; put does not tell, reading back does.
type columns struct {
	base Window // the first that was put

	start, next, seq [chunkRows]uint32 // less base's: intervals, offsets, seqs
	count            [chunkRows]uint32
	open             [chunkRows]int32 // less base's
	high, low, last  [chunkRows]int32 // less the row's open
	volume           [chunkRows]feed.Size
	excess           [chunkRows]int64 // turnover less open x volume
	digest           [chunkRows]uint64
	rev              [chunkRows]uint8
	synthetic        [chunkRows]bool
}

func (c *columns) put(i int, w *Window) {
	c.start[i] = uint32((w.Start - c.base.Start) / int64(c.base.Interval))
	c.next[i] = uint32(w.Next - c.base.Next)
	c.seq[i] = uint32(w.Seq - c.base.Seq)
	c.count[i] = uint32(w.Count)
	c.open[i] = int32(w.Open - c.base.Open)
	c.high[i] = int32(w.High - w.Open)
	c.low[i] = int32(w.Low - w.Open)
	c.last[i] = int32(w.Close - w.Open)
	c.volume[i] = w.Volume
	c.excess[i] = int64(w.Turnover.Plus(product(w.Open, w.Volume).negated()).Lo)
	c.digest[i] = w.Digest
	c.rev[i] = uint8(w.Rev)
	c.synthetic[i] = w.Synthetic
}

func (c *columns) at(i int) Window {
	open, excess := c.base.Open+feed.Price(c.open[i]), c.excess[i]
	w := Window{
		Bar: Bar{
			Seq: c.base.Seq + uint64(c.seq[i]), Count: uint64(c.count[i]),
			Open: open, High: open + feed.Price(c.high[i]), Low: open + feed.Price(c.low[i]),
			Close: open + feed.Price(c.last[i]), Volume: c.volume[i],
			Turnover: Turnover{Hi: excess >> 63, Lo: uint64(excess)}.Plus(product(open, c.volume[i])),
			Digest:   c.digest[i],
		},
		Interval: c.base.Interval, Start: c.base.Start + int64(c.start[i])*int64(c.base.Interval),
		Rev: uint32(c.rev[i]), Synthetic: c.synthetic[i], Next: c.base.Next + int64(c.next[i]),
	}
	if !w.Synthetic {
		w.First = w.Seq + 1 - w.Count
	}
	return w
}
