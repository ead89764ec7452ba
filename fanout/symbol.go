package fanout

import (
	"sync/atomic"

	"github.com/tapecast/tapecast/charts"
	"github.com/tapecast/tapecast/feed"
)

// Symbol is one symbol of the hub. Its exported methods are safe from any
// goroutine; all fields but the atomic ones are ingest's.
type Symbol struct {
	name  string
	lane  int
	phase int64         // see phaseOf
	clock *atomic.Int64 // tape time of its lane as of the last pass, ns UTC
	keyed bool          // a keyframe told what it is

	book  State // ingest's working copy
	slab  slab
	state atomic.Pointer[State] // what readers see; nil until keyed

	ring recent[entry]
	// gone holds, per channel, the offset of the newest tick that fell out of
	// the ring, or was on the tape before the hub began.
	gone [feed.Channels]atomic.Int64

	streams []*Stream    // being built now, of raw ticks
	mergers []*merger    // being built now, of merged ticks
	bars    []*barStream // being built now, of bars
	seconds *charts.Series
	minutes *charts.Series
	touched bool // in the hub's list of symbols to publish
	// skipped says that records of the lane were gone: what is missing before
	// the channel's next tick fell to retention.
	skipped [feed.Channels]bool
}

// entry is a tick or a gap of the ring.
type entry struct {
	feed.Tick
	Offset int64 // in the symbol's lane
	// GapFirst is not 0 for a gap: it covers GapFirst to Seq of the channel that
	// Kind belongs to.
	GapFirst uint64
	Reason   GapReason
}

// first returns the first seq that the entry covers.
func (e *entry) first() uint64 {
	if e.GapFirst != 0 {
		return e.GapFirst
	}
	return e.Seq
}

// gap returns a gap entry's gap.
func (e *entry) gap() Gap {
	return Gap{Channel: e.Kind.Channel(), First: e.GapFirst, Seq: e.Seq, Reason: e.Reason}
}

// How many windows of a second and a minute are kept: an hour and thirty days.
const (
	keepSeconds = 3600
	keepMinutes = 30 * 24 * 60
)

func newSymbol(name string, lane int, begin int64, clock *atomic.Int64) *Symbol {
	s := &Symbol{
		name: name, lane: lane, phase: phaseOf(name), clock: clock,
		seconds: charts.NewSeries(charts.Second, keepSeconds),
		minutes: charts.NewSeries(charts.Minute, keepMinutes),
	}
	for c := range s.gone {
		s.gone[c].Store(begin - 1)
	}
	return s
}

// Name returns the symbol itself.
func (s *Symbol) Name() string { return s.name }

// Lane returns the lane that the symbol is on.
func (s *Symbol) Lane() int { return s.lane }

// State returns what is known of the symbol now; nil until it is keyed.
func (s *Symbol) State() *State { return s.state.Load() }

// Bars appends to dst the closed windows of an interval that start in
// [start, end), ns UTC, ascending, and the open one, if it starts there too. It
// returns at most limit windows, the oldest ones; open says that the last is
// open.
func (s *Symbol) Bars(dst []charts.Window, i charts.Interval, start, end int64, limit int) (bars []charts.Window, open bool) {
	st := s.State()
	if st == nil {
		return dst, false
	}
	running := st.running(i, s, s.clock.Load())
	if running.Count == 0 {
		return s.series(i).Rolled(dst, i, start, end, limit), false
	}
	n := len(dst)
	dst = s.series(i).Rolled(dst, i, start, min(end, running.Start), limit)
	if running.Start >= start && running.Start < end && len(dst)-n < limit {
		return append(dst, running), true
	}
	return dst, false
}

// LastBars is Bars for the newest limit windows that start before end, ns UTC.
func (s *Symbol) LastBars(dst []charts.Window, i charts.Interval, end int64, limit int) (bars []charts.Window, open bool) {
	st := s.State()
	if st == nil || limit <= 0 {
		return dst, false
	}
	running := st.running(i, s, s.clock.Load())
	if running.Count == 0 || running.Start >= end {
		return s.series(i).RolledTail(dst, i, end, limit), false
	}
	if limit > 1 {
		dst = s.series(i).RolledTail(dst, i, running.Start, limit-1)
	}
	return append(dst, running), true
}

// Recent visits what the ring holds from a lane offset and a tape time (ns UTC)
// on, the oldest first, until visit returns false. g.Seq is not 0 for a gap; t is
// the tick otherwise, which visit must not change. What lies beyond the newest
// cut may be visited too.
func (s *Symbol) Recent(from, start int64, visit func(t *feed.Tick, g Gap, offset int64) bool) {
	v := s.ring.view()
	for i := v.search(func(e *entry) bool { return e.Offset >= from && e.TS >= start }); i < v.n; i++ {
		e := v.at(i)
		var g Gap
		if e.GapFirst != 0 {
			g = e.gap()
		}
		if !visit(&e.Tick, g, e.Offset) {
			return
		}
	}
}

// series returns the stored windows that those of interval i are made of.
func (s *Symbol) series(i charts.Interval) *charts.Series {
	if i.Base() == charts.Second {
		return s.seconds
	}
	return s.minutes
}

// running returns the open window of an interval at the state's cut: what is
// closed of it already, and the open base window. now is the lane's time, ns UTC,
// which tells the window if there were no trades of late. Count 0: none is open.
func (st *State) running(i charts.Interval, s *Symbol, now int64) charts.Window {
	base := st.Minute
	if i.Base() == charts.Second {
		base = st.Second
	}
	if i == i.Base() {
		return base
	}
	if base.Count > 0 {
		now = base.Start
	}
	start := i.Floor(now)
	var w charts.Window
	for _, closed := range s.series(i).Range(nil, start, i.Base().Floor(now), int(i/i.Base())) {
		w = charts.Rollup(w, closed, i)
	}
	if base.Count == 0 {
		return w
	}
	return charts.Rollup(w, base, i)
}
