package charts

import (
	"math"
	"slices"
	"sync/atomic"
)

// Series is the bounded store of one symbol's closed windows of one interval,
// ascending by Start, in whatever order they come. One goroutine may Put while any
// number of others read: nobody takes a lock, and a read sees one state of the
// series. When it is full, the oldest windows fall out.
//
// T0 and TS of the windows are not kept: they come back as 0.
type Series struct {
	interval Interval
	most     int // chunks to keep
	view     atomic.Pointer[view]
}

// NewSeries returns a series that keeps the newest windows of that interval: at
// least keep of them, and at most 255 more.
func NewSeries(interval Interval, keep int) *Series {
	// The chunk being filled comes on top, since it may hold a single window.
	s := &Series{interval: interval, most: (keep+chunkRows-1)/chunkRows + 1}
	s.view.Store(&view{})
	return s
}

// Put adds a window at the place of its Start, or puts it in the place of the one
// with the same start if it is newer (see Window.Newer). It reports whether the
// series holds it now: what is not newer, older than all that is left of a series
// that was full, of another interval or without a trade is left out. Adding behind
// the last one is fast; a late window costs as much as writing all those after it
// again. Only the writer may call it.
func (s *Series) Put(w *Window) bool {
	if w.Interval != s.interval || w.Count == 0 {
		return false
	}
	v := s.view.Load()
	n := v.len()
	if n == 0 || v.start(n-1) < w.Start {
		s.add(v, n, w)
		return true
	}
	i := v.search(w.Start)
	old := v.at(i)
	if old.Start != w.Start {
		return s.insert(v, n, i, w)
	}
	if !w.Newer(&old) {
		return false
	}
	s.rewrite(v, i, w)
	return true
}

// add puts w behind the n windows of v.
func (s *Series) add(v *view, n int, w *Window) {
	if n%chunkRows == 0 {
		s.grow(v, newChunk(w))
		return
	}
	last := v.chunks[len(v.chunks)-1]
	if !last.put(n%chunkRows, w) {
		s.rewrite(v, n, w)
		return
	}
	last.n.Add(1)
}

// grow publishes a view with one more chunk, without the oldest if it is one too
// many.
func (s *Series) grow(v *view, c *chunk) {
	kept, cut := v.chunks, v.cut
	if len(kept) == s.most {
		kept, cut = kept[1:], true
	}
	chunks := append(make([]*chunk, 0, len(kept)+1), kept...)
	s.view.Store(&view{chunks: append(chunks, c), cut: cut})
}

// rewrite publishes a view with window i replaced, or added, in a copy of its
// chunk. Readers of the old view see the old chunk.
func (s *Series) rewrite(v *view, i int, w *Window) {
	chunks := slices.Clone(v.chunks)
	chunks[i/chunkRows] = chunks[i/chunkRows].with(i%chunkRows, w)
	s.view.Store(&view{chunks: chunks, cut: v.cut})
}

// insert publishes a view with w before window i of the n in v, and reports whether
// w is in it. The full chunks before it are shared. Those from its own on are
// written again by a series that nobody reads yet; readers of the old view see the
// old ones, which grow no more.
func (s *Series) insert(v *view, n, i int, w *Window) bool {
	if i == 0 && v.cut {
		return false
	}
	first := i / chunkRows
	draft := Series{interval: s.interval, most: s.most}
	draft.view.Store(&view{chunks: v.chunks[:first], cut: v.cut})
	put := func(w *Window) {
		v := draft.view.Load()
		draft.add(v, v.len(), w)
	}
	for j := first * chunkRows; j < n; j++ {
		if j == i {
			put(w)
		}
		later := v.at(j)
		put(&later)
	}
	v = draft.view.Load()
	s.view.Store(v)
	return v.start(0) <= w.Start // else it fell out with the oldest chunk
}

// Range appends the windows that start in [start, end), ascending, the first
// limit of them, and returns the longer dst.
func (s *Series) Range(dst []Window, start, end int64, limit int) []Window {
	return s.Rolled(dst, s.interval, start, end, limit)
}

// Tail appends the newest limit windows that start before end, ascending.
func (s *Series) Tail(dst []Window, end int64, limit int) []Window {
	return s.RolledTail(dst, s.interval, end, limit)
}

// Rolled is Range of a longer interval, a multiple of the series' own, whose
// windows are rolled up on the way. The oldest is left out if a part of it has
// fallen out of the series.
func (s *Series) Rolled(dst []Window, interval Interval, start, end int64, limit int) []Window {
	v := s.view.Load()
	n := v.len()
	from := max(interval.ceil(start), v.whole(interval))
	return v.roll(dst, interval, v.searchIn(n, from), v.searchIn(n, interval.ceil(end)), limit)
}

// RolledTail is Tail of a longer interval, as Rolled is Range of one.
func (s *Series) RolledTail(dst []Window, interval Interval, end int64, limit int) []Window {
	v := s.view.Load()
	n := v.len()
	oldest, last := v.searchIn(n, v.whole(interval)), v.searchIn(n, interval.ceil(end))
	first := last
	for begun := int64(math.MaxInt64); first > oldest; first-- {
		start := interval.Floor(v.start(first - 1))
		if start != begun {
			if limit--; limit < 0 {
				break
			}
			begun = start
		}
	}
	return v.roll(dst, interval, first, last, math.MaxInt)
}

// view is one state of a series. All its chunks but the last are full, so a
// window is addressed by its index. Only the last chunk grows.
type view struct {
	chunks []*chunk
	cut    bool // windows have fallen out before the first
}

func (v *view) len() int {
	if len(v.chunks) == 0 {
		return 0
	}
	last := len(v.chunks) - 1
	return last*chunkRows + int(v.chunks[last].n.Load())
}

func (v *view) at(i int) Window   { return v.chunks[i/chunkRows].at(i % chunkRows) }
func (v *view) start(i int) int64 { return v.chunks[i/chunkRows].start(i % chunkRows) }

// search returns the index of the first window that does not start before ts.
func (v *view) search(ts int64) int { return v.searchIn(v.len(), ts) }

// searchIn is search among the first n windows.
func (v *view) searchIn(n int, ts int64) int {
	low, high := 0, n
	for low < high {
		if mid := (low + high) / 2; v.start(mid) < ts {
			low = mid + 1
		} else {
			high = mid
		}
	}
	return low
}

// whole returns the start of the first window of the interval of which nothing
// can have fallen out.
func (v *view) whole(interval Interval) int64 {
	if !v.cut {
		return math.MinInt64
	}
	return interval.ceil(v.start(0))
}

// roll appends at most limit windows of the interval, made of windows [i, j).
func (v *view) roll(dst []Window, interval Interval, i, j, limit int) []Window {
	before := len(dst)
	for ; i < j; i++ {
		w := v.at(i)
		if n := len(dst); n > before && dst[n-1].Start == interval.Floor(w.Start) {
			dst[n-1] = Rollup(dst[n-1], w, interval)
			continue
		}
		if len(dst)-before >= limit {
			break
		}
		dst = append(dst, Rollup(Window{}, w, interval))
	}
	return dst
}
