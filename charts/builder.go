package charts

import "github.com/tapecast/tapecast/feed"

// Builder makes the windows of one symbol and interval out of its trades, by the
// time of its lane. For every record of the lane call Close, then Add if it is a
// trade of the symbol: the record whose lane time reaches a window's end closes
// it before its own content counts. The zero Builder is of no use, see
// NewBuilder. It does not allocate, and is not safe for concurrent use.
type Builder struct {
	w    Window // open, or the last one closed
	open bool
}

// NewBuilder returns a builder of windows of that interval.
func NewBuilder(interval Interval) Builder { return Builder{w: Window{Interval: interval}} }

// Add puts a trade into the window its ts lies in, which it may open. A window
// that the caller has closed too early (by wall time, because the lane was
// stale) is opened again: closed once more, it supersedes the first by its seq.
// A trade never opens a window before the last one.
func (b *Builder) Add(t *feed.Tick) {
	b.w.Extend(b.w.Interval, t)
	b.open = true
}

// Open returns the open window, if there is one. Its Next is 0.
func (b *Builder) Open() (Window, bool) {
	if !b.open {
		return Window{}, false
	}
	return b.w, true
}

// Close closes the open window if the lane's time (ns UTC) has reached its end,
// and returns it. next is the offset after the record that brought the time. A
// window without trades does not exist, so there is nothing to close then.
func (b *Builder) Close(laneTime, next int64) (Window, bool) {
	if !b.open || !b.w.Ended(laneTime) {
		return Window{}, false
	}
	b.open = false
	w := b.w
	w.Next = next
	return w, true
}
