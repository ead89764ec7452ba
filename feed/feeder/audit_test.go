package feeder_test

import (
	"bytes"
	"maps"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/tapecast/tapecast/charts"
	"github.com/tapecast/tapecast/feed"
)

// audit reads a whole tape as a reader would and holds it against the contract.
// It decodes and adds up by itself, not with the feeder's code.
type audit struct {
	t        *testing.T
	u        feed.Universe
	symbols  map[string]*audited
	sessions []feed.Session // of lane 0
	tapes    []feed.TapeID  // in the order of lane 0
	clocks   int            // of lane 0
	ticks    int
	end      int64
	// late allows a session's record to be older than what an older feeder wrote
	// on its lane just before.
	late bool
	// longest is the longest time between neighbouring ticks of a lane.
	longest time.Duration
}

// audited is what the audit knows of one symbol.
type audited struct {
	seqs          [feed.Channels]uint64
	trade, quote  feed.Tick
	day           charts.Bar
	frames        int
	lastFrame     int64
	firstQuote    feed.Tick
	sessionQuotes []feed.Tick // the first of each session
}

func auditTape(t *testing.T, m *memoryTape, u feed.Universe) *audit {
	t.Helper()
	a := &audit{t: t, u: u}
	a.read(m)
	return a
}

func (a *audit) read(m *memoryTape) {
	t, u := a.t, a.u
	t.Helper()
	a.symbols = map[string]*audited{}
	for i := range u {
		a.symbols[u[i].Symbol] = &audited{}
	}
	for lane := range m.lanes {
		a.lane(lane, m.lanes[lane])
	}
	if t.Failed() {
		t.FailNow()
	}
}

func (a *audit) lane(lane int, records []record) {
	a.t.Helper()
	var last, lastTick, lastClock, sessionStart int64
	for i, r := range records {
		var d feed.Record
		if err := feed.Decode(r.value, &d); err != nil {
			a.t.Errorf("lane %d, record %d: %v", lane, i, err)
			continue
		}
		late := a.late && d.Kind == feed.KindSession
		if d.TS() < last && !late || d.TS() != r.ts {
			a.t.Errorf("lane %d, record %d: tape time %d (%d outside) after %d", lane, i, d.TS(), r.ts, last)
		}
		last = max(last, d.TS())
		a.end = max(a.end, last)
		switch d.Kind {
		case feed.KindSession:
			sessionStart, lastTick, lastClock = d.Session.Start, 0, 0
			for _, s := range a.symbols {
				s.firstQuote = feed.Tick{}
			}
			if lane == 0 {
				a.sessions = append(a.sessions, *d.Session)
				a.tapes = append(a.tapes, d.Session.Tape)
			}
		case feed.KindClock:
			a.clock(lane, &d.Clock, lastClock)
			lastClock = d.Clock.TS
		case feed.KindKeyframe:
			a.keyframe(lane, r.key, d.Keyframe)
		default:
			if lastTick != 0 {
				a.longest = max(a.longest, time.Duration(d.Tick.TS-lastTick))
			}
			if d.Tick.TS < sessionStart {
				a.t.Errorf("lane %d, record %d: a tick before its session", lane, i)
			}
			lastTick = d.Tick.TS
			a.tick(lane, r.key, &d.Tick)
		}
		if i == 0 && d.Kind != feed.KindSession {
			a.t.Errorf("lane %d begins with kind %d, not with a session", lane, d.Kind)
		}
	}
}

func index(u feed.Universe, symbol string) int {
	return slices.IndexFunc(u, func(l feed.Listing) bool { return l.Symbol == symbol })
}

func (a *audit) clock(lane int, c *feed.Clock, last int64) {
	a.t.Helper()
	symbols := 0
	for _, l := range a.u {
		if feed.Lane(l.Symbol, lanes) == lane {
			symbols++
		}
	}
	if c.Symbols != symbols {
		a.t.Errorf("lane %d: a clock says %d symbols, want %d", lane, c.Symbols, symbols)
	}
	if gap := c.TS - last; last != 0 && (gap > int64(100*time.Millisecond) || gap <= 0) {
		a.t.Errorf("lane %d: %v between clocks at %d", lane, time.Duration(gap), c.TS)
	}
	if last != 0 && c.TS%int64(100*time.Millisecond) != 0 {
		a.t.Errorf("lane %d: a clock at %d, no multiple of 100 ms", lane, c.TS)
	}
	if lane == 0 {
		a.clocks++
		a.tapes = append(a.tapes, c.Tape)
	}
}

func (a *audit) tick(lane int, symbol string, t *feed.Tick) {
	a.t.Helper()
	s := a.symbols[symbol]
	if s == nil || feed.Lane(symbol, lanes) != lane {
		a.t.Errorf("symbol %q on lane %d", symbol, lane)
		return
	}
	a.ticks++
	channel := t.Kind.Channel()
	if s.frames == 0 || t.Seq != s.seqs[channel]+1 {
		a.t.Errorf("%s: %s %d after %d, %d keyframes", symbol, channel, t.Seq, s.seqs[channel], s.frames)
	}
	s.seqs[channel] = t.Seq
	if t.Kind == feed.KindQuote {
		if s.firstQuote.Kind == 0 {
			s.firstQuote = *t
			s.sessionQuotes = append(s.sessionQuotes, *t)
		}
		s.quote = *t
		return
	}
	if charts.Day.Floor(t.TS) != charts.Day.Floor(s.day.T0) {
		s.day = charts.Bar{}
	}
	s.day.Add(t)
	s.trade = *t
}

func (a *audit) keyframe(lane int, symbol string, k *feed.Keyframe) {
	a.t.Helper()
	s := a.symbols[symbol]
	if s == nil || feed.Lane(symbol, lanes) != lane {
		a.t.Errorf("keyframe of %q on lane %d", symbol, lane)
		return
	}
	in := a.u[index(a.u, symbol)].Instrument
	in.Symbol = "" // it is the record's key
	if k.Instrument != in || k.Trade != s.trade || k.Quote != s.quote || k.Status.Kind != 0 || k.NoteSeq != s.seqs[feed.Statuses] {
		a.t.Errorf("%s: keyframe %+v, want %+v %+v", symbol, *k, s.trade, s.quote)
	}
	var day charts.Window
	if s.day.Count > 0 && charts.Day.Floor(s.day.T0) == charts.Day.Floor(k.TS) {
		day = charts.Window{Bar: s.day, Interval: charts.Day, Start: charts.Day.Floor(k.TS)}
	}
	var want []byte
	if day.Count > 0 {
		want = charts.AppendWindow(nil, &day)
	}
	if !bytes.Equal(k.Day, want) {
		got, err := charts.DecodeWindow(k.Day)
		a.t.Errorf("%s: day %+v (%v), want %+v", symbol, got, err, day)
	}
	if s.frames > 0 && k.TS-s.lastFrame > int64(60*time.Second) && len(a.sessions) < 2 {
		a.t.Errorf("%s: %v between keyframes", symbol, time.Duration(k.TS-s.lastFrame))
	}
	s.frames++
	s.lastFrame = k.TS
}

// oneTape fails unless the tape had one id, which it returns.
func (a *audit) oneTape() feed.TapeID {
	a.t.Helper()
	ids := slices.Compact(slices.Clone(a.tapes))
	if len(ids) != 1 || ids[0] == 0 {
		a.t.Fatalf("the tape's ids: %v", ids)
	}
	return ids[0]
}

// sameTicks fails unless two tapes hold the same ticks on each lane.
func sameTicks(t *testing.T, a, b *memoryTape) {
	t.Helper()
	for lane := range a.lanes {
		if !reflect.DeepEqual(ticksOf(a.lanes[lane]), ticksOf(b.lanes[lane])) {
			t.Errorf("lane %d differs", lane)
		}
	}
}

func ticksOf(records []record) []record {
	return slices.DeleteFunc(slices.Clone(records), func(r record) bool {
		var d feed.Record
		return feed.Decode(r.value, &d) != nil || d.Kind > feed.KindCancel
	})
}

// kinds counts a tape's records by kind.
func kinds(m *memoryTape) map[feed.Kind]int {
	out := map[feed.Kind]int{}
	for _, records := range m.lanes {
		for _, r := range records {
			out[feed.Kind(r.value[0]&0x0f)]++
		}
	}
	return maps.Clone(out)
}
