package fanout

import (
	"time"

	"github.com/tapecast/tapecast/charts"
	"github.com/tapecast/tapecast/feed"
)

// barPause is how often an open bar is sent at the most, in tape time.
const barPause = int64(250 * time.Millisecond)

// barStream is a stream of one symbol's bars of one interval.
type barStream struct {
	*Stream
	open  charts.Window // Count 0: none
	sent  int64         // tape time at which it was sent last, ns UTC
	fresh bool          // it has changed since
}

// newBarStream begins with what the symbol's open windows hold already.
func newBarStream(s *Stream, sym *Symbol) *barStream {
	return &barStream{Stream: s, open: sym.book.running(s.key.interval, sym)}
}

// addTrade merges a trade into the symbol's open windows.
func (h *Hub) addTrade(s *Symbol, t *feed.Tick) {
	b := &s.book
	extendWindow(&b.Second, charts.Second, t)
	extendWindow(&b.Minute, charts.Minute, t)
	extendWindow(&b.Day, charts.Day, t)
	for _, bar := range s.bars {
		extendWindow(&bar.open, bar.key.interval, t)
		bar.fresh = true
	}
}

// extendWindow merges a trade into an open window, or begins one with it.
func extendWindow(w *charts.Window, i charts.Interval, t *feed.Tick) {
	if w.Count == 0 || t.TS >= w.End() {
		*w = charts.Window{Interval: i, Start: i.Floor(t.TS)}
	}
	w.Synthetic = false
	w.Add(t)
}

// closeWindows ends the lane's windows that end at or before its time, which the
// record at offset has just reached, before that record is taken in. It runs once
// for each second of tape time at the most.
func (h *Hub) closeWindows(l *lane, offset int64) {
	ts := l.time
	now := charts.Second.Floor(ts)
	l.until = now + int64(charts.Second)
	l.seconds.add(second{offset: offset, ts: now})
	for _, s := range l.symbols {
		b := &s.book
		closed := h.keep(s.seconds, &b.Second, offset, ts)
		closed = h.keep(s.minutes, &b.Minute, offset, ts) || closed
		if b.Day.Count > 0 && b.Day.End() <= ts {
			b.Day = charts.Window{}
			closed = true
		}
		for _, bar := range s.bars {
			if bar.open.Count > 0 && bar.open.End() <= ts {
				h.sendBar(s, bar, offset, ts, true)
				bar.open = charts.Window{}
			}
		}
		if closed {
			h.touch(s)
		}
	}
}

// keep stores a window that has ended and empties it. One that began before the
// hub saw every record is not stored: the history has it.
func (h *Hub) keep(series *charts.Series, w *charts.Window, offset, ts int64) bool {
	if w.Count == 0 || w.End() > ts {
		return false
	}
	w.Next = offset + 1
	if w.Start >= h.options.Whole {
		series.Put(w)
	}
	*w = charts.Window{}
	return true
}

// sendOpenBars sends what has changed, no more often than barPause.
func (h *Hub) sendOpenBars(l *lane) {
	for _, s := range l.symbols {
		for _, bar := range s.bars {
			if bar.fresh && bar.open.Count > 0 && l.time-bar.sent >= barPause {
				h.sendBar(s, bar, l.next-1, l.time, false)
			}
		}
	}
}

func (h *Hub) sendBar(s *Symbol, bar *barStream, offset, ts int64, final bool) {
	if !s.keyed {
		return
	}
	bar.open.Next = offset + 1
	h.message = h.options.Encoder.Bar(h.message[:0], s.book.Instrument, &bar.open, final)
	h.frame = appendFramed(h.frame[:0], bar.key.framing, h.message, h.appendCursor)
	h.extend(bar.Stream, h.frame, offset, ts)
	bar.sent, bar.fresh = ts, false
}
