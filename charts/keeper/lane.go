package keeper

import (
	"log/slog"
	"math"

	"github.com/tapecast/tapecast/charts"
	"github.com/tapecast/tapecast/feed"
)

// interval is the length of the bars that are kept; longer ones are rolled up
// from them on reading.
const interval = charts.Minute

// lane builds the windows of the symbols of one lane. It does no I/O. Records of
// a lane come in the order of the tape, so all open windows are of one minute:
// that of the lane's time.
type lane struct {
	log     *slog.Logger
	metrics *metrics

	tape    feed.TapeID // 0: not known yet
	symbols map[string]*symbol
	open    []*symbol // those with an open window, in the order of its first trade

	next   int64 // the offset that must come
	time   int64 // lane time, ns UTC
	marked int64 // the offset of the record that brought it
	due    int64 // the end of the minute that the lane is in
	whole  int64 // the first minute that is read from its beginning
	unsure bool  // whole has to be found: the records before are not known

	closed     []closing // whole windows to be written
	turned     bool      // a minute has ended since this was last set to false
	complaints int       // logged in this minute
	record     feed.Record
}

// closing is a closed window and whose it is.
type closing struct {
	symbol string
	window charts.Window
}

// symbol is the state of one symbol of the lane.
type symbol struct {
	name    string
	seq     uint64 // of the last trade
	builder charts.Builder
	since   int64 // the offset of the open window's first trade
	whole   bool  // the open window has all its trades
}

// newLane returns the lane as of the committed offset start, or -1.
func newLane(start int64, log *slog.Logger, m *metrics) *lane {
	l := &lane{log: log, metrics: m, next: start}
	l.forget()
	return l
}

// forget empties the lane but for the offset that must come.
func (l *lane) forget() {
	l.symbols, l.open = make(map[string]*symbol), nil
	l.time, l.due, l.whole, l.unsure = math.MinInt64, math.MinInt64, math.MinInt64, false
}

// resume returns the offset from which all open windows can be built again: that
// of their first trade, or else the record that brought the lane's time.
func (l *lane) resume() int64 {
	if len(l.open) > 0 {
		return l.open[0].since
	}
	return l.marked
}

// read takes the next record of the lane.
func (l *lane) read(r *Record) {
	if r.Offset != l.next {
		l.jump(r.Offset)
	}
	l.next = r.Offset + 1
	if err := feed.Decode(r.Value, &l.record); err != nil {
		l.poison(r, err.Error())
		return
	}
	l.identify(&l.record)
	l.advance(l.record.TS(), r.Offset)
	if l.record.Kind == feed.KindTrade {
		l.trade(r, &l.record.Tick)
	}
}

// jump begins again behind records that are not to be had: those before a start
// without a commit, and those that retention took before they were read. Windows
// that may lack some of them are not written.
func (l *lane) jump(offset int64) {
	if l.next >= 0 {
		l.log.Warn("records are gone before their bars were built", "first", l.next, "next", offset)
	}
	l.metrics.skipped.Add(float64(len(l.open)))
	for _, s := range l.open {
		s.builder = charts.NewBuilder(interval)
	}
	l.open, l.unsure = l.open[:0], true
}

// identify begins the lane anew when its tape has become another one.
func (l *lane) identify(r *feed.Record) {
	var id feed.TapeID
	switch r.Kind {
	case feed.KindClock:
		id = r.Clock.Tape
	case feed.KindKeyframe:
		id = r.Keyframe.Tape
	case feed.KindSession:
		id = r.Session.Tape
	default:
		return
	}
	if l.tape != 0 && l.tape != id {
		l.log.Warn("the tape has become another one: beginning the lane anew", "old", l.tape, "new", id)
		l.metrics.skipped.Add(float64(len(l.open)))
		l.forget()
		l.unsure = true
	}
	l.tape = id
}

// advance moves the lane's time on and closes the windows that end by it.
func (l *lane) advance(ts, offset int64) {
	if ts <= l.time {
		return
	}
	l.time, l.marked = ts, offset
	if ts < l.due {
		return
	}
	begun := l.due != math.MinInt64
	l.due = interval.Floor(ts) + int64(interval)
	if l.unsure {
		l.whole, l.unsure = l.due, false
	}
	if begun {
		l.turn(offset)
	}
}

// turn closes the windows of the minute that the record at offset has ended: all
// that are open.
func (l *lane) turn(offset int64) {
	for _, s := range l.open {
		w, _ := s.builder.Close(l.time, offset+1)
		if s.whole {
			l.closed = append(l.closed, closing{symbol: s.name, window: w})
		} else {
			l.metrics.skipped.Inc()
		}
	}
	l.open, l.turned, l.complaints = l.open[:0], true, 0
}

// trade adds a trade that the lane's time has reached.
func (l *lane) trade(r *Record, t *feed.Tick) {
	s := l.symbols[string(r.Key)]
	switch {
	case s == nil && !feed.ValidSymbol(string(r.Key)):
		l.poison(r, "its key is not a symbol")
		return
	case s == nil && t.TS < l.time, s != nil && t.Seq <= s.seq:
		// The first record of each seq counts. Where that was read by an earlier
		// claim, a repeat is known by its time, which the lane has left behind.
		l.metrics.repeats.Inc()
		return
	case s == nil:
		s = &symbol{name: string(r.Key), seq: t.Seq - 1, builder: charts.NewBuilder(interval)}
		l.symbols[s.name] = s
	}
	if missing := t.Seq - s.seq - 1; missing > 0 {
		l.metrics.missing.Add(float64(missing))
		l.complain("trades are missing", "symbol", s.name, "first", s.seq+1, "seq", t.Seq-1)
	}
	s.seq = t.Seq
	l.add(s, t, r.Offset)
}

// add puts a trade into its window. One that begins behind a jump, in the minute
// of it, lacks nothing only if it has the symbol's very first trade.
func (l *lane) add(s *symbol, t *feed.Tick, offset int64) {
	if _, open := s.builder.Open(); !open {
		s.since, s.whole = offset, l.time >= l.whole || t.Seq == 1
		l.open = append(l.open, s)
	}
	s.builder.Add(t)
	l.metrics.trades.Inc()
}

func (l *lane) poison(r *Record, why string) {
	l.metrics.poison.Inc()
	l.complain("a record can't be read and is skipped", "offset", r.Offset, "error", why)
}

// complain logs what is wrong with the tape, but no more than ten times in a
// minute of it: a broken feed is seen in the metrics.
func (l *lane) complain(message string, details ...any) {
	if l.complaints++; l.complaints <= 10 {
		l.log.Warn(message, details...)
	}
}
