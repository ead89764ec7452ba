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

// newBarStream begins with what the symbol's open windows hold already, at the
// lane's time, ns UTC.
func newBarStream(s *Stream, sym *Symbol, now int64) *barStream {
	return &barStream{Stream: s, open: sym.book.running(s.key.interval, sym, now)}
}

// history takes in a closed minute. One that comes late belongs to longer bars which
// may be open.
func (h *Hub) history(s *Symbol, w *charts.Window) {
	if !s.minutes.Put(w) {
		return
	}
	for _, bar := range s.bars {
		interval := bar.key.interval
		if interval > charts.Minute && bar.open.Count > 0 && interval.Floor(w.Start) == bar.open.Start {
			bar.open = s.book.running(interval, s, h.lanes[s.lane].time)
			bar.fresh = true
		}
	}
}

// addTrade merges a trade into the symbol's open windows.
func (h *Hub) addTrade(s *Symbol, t *feed.Tick) {
	b := &s.book
	b.Second.Extend(charts.Second, t)
	b.Minute.Extend(charts.Minute, t)
	b.Day.Extend(charts.Day, t)
	for _, bar := range s.bars {
		bar.open.Extend(bar.key.interval, t)
		bar.fresh = true
	}
}

// closeWindows ends the lane's windows that end at or before its time, which the
// record at offset has just reached, before that record is taken in. It runs once
// for each second of tape time at the most.
func (h *Hub) closeWindows(l *lane, offset int64) {
	ts := l.time
	now := charts.Second.Floor(ts)
	l.until = now + int64(charts.Second)
	for _, s := range l.symbols {
		b := &s.book
		closed := h.keep(s.seconds, &b.Second, offset, ts)
		closed = h.keep(s.minutes, &b.Minute, offset, ts) || closed
		if b.Day.Ended(ts) {
			b.Day = charts.Window{}
			closed = true
		}
		for _, bar := range s.bars {
			if bar.open.Ended(ts) {
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
	if !w.Ended(ts) {
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
			if bar.fresh && bar.open.Count > 0 && l.time-bar.sent >= max(barPause, bar.key.level.window()) {
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
	h.frame = appendFramed(h.frame[:0], bar.key.framing, h.message, func(dst []byte) []byte {
		return h.appendPlace(dst, s.lane, offset, none)
	})
	h.extend(bar.Stream, h.frame, unit{first: offset, last: offset}, ts)
	bar.sent, bar.fresh = ts, false
}
