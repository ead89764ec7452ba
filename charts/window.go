package charts

import "github.com/tapecast/tapecast/feed"

// Window is a bar and the interval of time it covers.
type Window struct {
	Bar
	Interval Interval
	Start    int64  // ns UTC, a multiple of Interval
	Rev      uint32 // 0, then one more for each time it was corrected
	// Synthetic marks history that was made up before the tape began. Its trades
	// have no seqs: First and Seq are 0.
	Synthetic bool
	// Next is where the window ended: the next offset of its symbol's lane after
	// the record that closed it. 0 for synthetic windows.
	Next int64
}

// End returns the instant at which the window closes, ns UTC.
func (w *Window) End() int64 { return w.Start + int64(w.Interval) }

// Extend merges the symbol's next trade into w, or makes w the window of that
// interval which the trade lies in if w has no trades or ends before. A trade never
// begins a window before w, and what it is merged into is not made up any more. It
// does not allocate.
func (w *Window) Extend(interval Interval, t *feed.Tick) {
	if w.Count == 0 || t.TS >= w.End() {
		*w = Window{Interval: interval, Start: interval.Floor(t.TS)}
	}
	w.Synthetic = false
	w.Add(t)
}

// Ended reports whether w has trades and the lane's time (ns UTC) has reached its
// end: the record that brought that time closes w, before its own content counts.
func (w *Window) Ended(laneTime int64) bool { return w.Count > 0 && laneTime >= w.End() }

// Newer reports whether w supersedes old, a window of the same symbol, interval
// and start: readers keep the highest (rev, seq).
func (w *Window) Newer(old *Window) bool {
	if w.Rev != old.Rev {
		return w.Rev > old.Rev
	}
	return w.Seq > old.Seq
}

// Rollup merges a window into the one of a longer interval, which it may begin.
// Windows must come in ascending order of Start; w must lie within into's
// interval, or into be zero. Where made up history meets the tape, First and Seq
// are those of the real trades.
func Rollup(into, w Window, interval Interval) Window {
	if into.Count == 0 {
		into = Window{Interval: interval, Start: interval.Floor(w.Start), Synthetic: true}
	}
	into.Bar = Merge(into.Bar, w.Bar)
	if into.First == 0 {
		into.First = w.First
	}
	into.Rev = max(into.Rev, w.Rev)
	into.Synthetic = into.Synthetic && w.Synthetic
	into.Next = w.Next
	return into
}
