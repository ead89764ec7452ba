package fanout

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/tapecast/tapecast/charts"
	"github.com/tapecast/tapecast/feed"
)

// Ingest takes a batch in. It does not block and keeps nothing of it but the
// records' notes and strings. What it takes is visible after Publish.
func (h *Hub) Ingest(b *Batch) error {
	for i := range b.Bars {
		w := &b.Bars[i]
		h.history(h.symbol(w.Symbol, w.Lane), &w.Window)
	}
	if b.Records == nil && b.Next == 0 {
		return nil
	}
	begin := h.now()
	l := &h.lanes[b.Lane]
	if len(b.Records) > 0 {
		l.staleAt.Store(0)
	}
	if b.Skipped {
		for _, s := range l.symbols {
			s.skipped = [feed.Channels]bool{true, true, true}
		}
	}
	for i := range b.Records {
		r := &b.Records[i]
		if r.Offset < l.next {
			continue
		}
		if err := h.record(l, b.Lane, r); err != nil {
			return err
		}
	}
	l.next = max(l.next, b.Next)
	l.end = max(b.End, l.next)
	l.heard = begin.UnixNano()
	h.sendOpenBars(l)
	h.evict(l)
	h.metrics.ingest.Observe(h.now().Sub(begin).Seconds())
	return nil
}

func (h *Hub) record(l *lane, number int, r *Record) error {
	if r.Poison {
		l.next = r.Offset + 1
		h.metrics.poison.Inc()
		return nil
	}
	ts := r.TS()
	l.advance(r.Offset, ts)
	h.stepOn(l, r.Offset)
	switch r.Kind {
	case feed.KindClock:
		l.expect = r.Clock.Symbols
		h.settle(l)
		return h.sameTape(r.Clock.Tape)
	case feed.KindSession:
		h.log.Info("a feeder session begins", "lane", number, "scenario", r.Session.Scenario)
		return h.sameTape(r.Session.Tape)
	case feed.KindKeyframe:
		if err := h.sameTape(r.Keyframe.Tape); err != nil {
			return err
		}
		h.keyframe(l, h.symbol(r.Symbol, number), r)
		h.settle(l)
	default:
		h.tick(h.symbol(r.Symbol, number), r)
	}
	return nil
}

// stepOn ends the windows that the lane's time has reached the end of, before the
// record at offset, which brought that time, is taken in.
func (h *Hub) stepOn(l *lane, offset int64) {
	if l.time < l.due {
		return
	}
	now := l.time / grid * grid
	l.due = now + grid
	l.steps.add(step{offset: offset, ts: now})
	h.closeMergers(l, now)
	if l.time >= l.until {
		h.closeWindows(l, offset)
	}
}

// sameTape takes the tape's id from the first record that has one, and refuses
// another one.
func (h *Hub) sameTape(id feed.TapeID) error {
	switch h.tape {
	case 0:
		h.tape, h.listed = id, true
	case id:
	default:
		return fmt.Errorf("%w: %s, it was %s", ErrNewTape, id, h.tape)
	}
	return nil
}

// symbol returns the symbol of that name, which it makes if it is new.
func (h *Hub) symbol(name string, lane int) *Symbol {
	if s := h.symbols[name]; s != nil {
		return s
	}
	s := newSymbol(name, lane, h.options.From[lane], &h.lanes[lane].now)
	s.book.Tape = h.tape
	h.symbols[name] = s
	h.lanes[lane].symbols = append(h.lanes[lane].symbols, s)
	return s
}

// list publishes a new directory of the keyed symbols.
func (h *Hub) list() {
	d := &Directory{Tape: h.tape, byName: map[string]*Symbol{}}
	for _, name := range slices.Sorted(maps.Keys(h.symbols)) {
		if s := h.symbols[name]; s.keyed {
			d.Symbols = append(d.Symbols, s)
			d.byName[name] = s
		}
	}
	h.directory.Store(d)
}

// settle notes when the last lane has become ready.
func (h *Hub) settle(l *lane) {
	if h.settled || !l.ready() {
		return
	}
	for i := range h.lanes {
		if !h.lanes[i].ready() {
			return
		}
	}
	h.settled = true
}

// keyframe takes from a keyframe what the ticks have not told yet.
func (h *Hub) keyframe(l *lane, s *Symbol, r *Record) {
	k := r.Keyframe
	k.Instrument.Symbol = s.name
	if s.keyed {
		if *s.book.Instrument != k.Instrument {
			s.book.Instrument = &k.Instrument
			h.touch(s)
		}
		return
	}
	b := &s.book
	b.Tape, b.Instrument = h.tape, &k.Instrument
	for _, known := range []struct{ mine, frame *feed.Tick }{
		{&b.Trade, &k.Trade}, {&b.Quote, &k.Quote}, {&b.Status, &k.Status},
	} {
		if known.mine.Kind == 0 {
			*known.mine = *known.frame
		}
	}
	b.Last[feed.Trades] = max(b.Last[feed.Trades], k.Trade.Seq)
	b.Last[feed.Quotes] = max(b.Last[feed.Quotes], k.Quote.Seq)
	b.Last[feed.Statuses] = max(b.Last[feed.Statuses], k.NoteSeq)
	if day, err := charts.DecodeWindow(k.Day); err == nil && day.Start == charts.Day.Floor(l.time) {
		b.Day = day
	}
	s.keyed = true
	l.keyed++
	h.touch(s)
	h.listed = true
}

func (h *Hub) touch(s *Symbol) {
	s.book.Next = h.lanes[s.lane].next
	if !s.touched && s.keyed {
		s.touched = true
		h.touched = append(h.touched, s)
	}
}

// tick numbers, keeps and sends one tick.
func (h *Hub) tick(s *Symbol, r *Record) {
	t := &r.Tick
	channel := t.Kind.Channel()
	last := s.book.Last[channel]
	missing, seen := number(last, last != 0 || s.keyed, t)
	if seen {
		h.duplicate(s, t)
		return
	}
	if missing > 0 {
		reason := Source
		if s.skipped[channel] {
			reason = Retention
		}
		h.gap(s, r, entry{
			Tick:   feed.Tick{Kind: t.Kind, Seq: t.Seq - 1, TS: t.TS},
			Offset: r.Offset, GapFirst: last + 1, Reason: reason,
		})
	}
	s.skipped[channel] = false
	s.book.Last[channel] = t.Seq
	if h.faults.mangle(&h.options.Faults, t) {
		return
	}
	s.ring.add(entry{Tick: *t, Offset: r.Offset})
	h.metrics.ticks.Inc()
	switch t.Kind {
	case feed.KindTrade:
		s.book.Trade = *t
		h.addTrade(s, t)
	case feed.KindQuote:
		s.book.Quote = *t
	case feed.KindStatus:
		s.book.Status = *t
	}
	h.touch(s)
	h.send(s, r)
}

// duplicate counts a tick that was there before, and logs it if it says
// something else.
func (h *Hub) duplicate(s *Symbol, t *feed.Tick) {
	h.metrics.duplicates.Inc()
	v := s.ring.view()
	for i := v.n - 1; i >= 0; i-- {
		e := v.at(i)
		if e.Kind.Channel() != t.Kind.Channel() || e.Seq > t.Seq {
			continue
		}
		if e.Seq == t.Seq && (e.Price != t.Price || e.Size != t.Size || e.TS != t.TS || e.Ask != t.Ask) {
			h.log.Warn("a duplicate has other content; the first is kept", "symbol", s.name, "channel", t.Kind.Channel().String(), "seq", t.Seq)
			h.metrics.conflicts.Inc()
		}
		return
	}
}

func (h *Hub) gap(s *Symbol, r *Record, e entry) {
	h.metrics.gaps.Inc()
	h.log.Warn("seqs are missing on the tape", "symbol", s.name, "channel", e.Kind.Channel().String(), "first", e.GapFirst, "last", e.Seq)
	s.ring.add(e)
	if !s.watched() {
		return
	}
	gap := h.options.Encoder.Gap(h.raw[:0], s.book.Instrument, e.gap())
	h.raw = gap
	h.distribute(s.streams, e.Kind.Channel(), gap, r.Offset, e.TS)
	for _, m := range s.mergers {
		h.flushMerger(m)
		h.distribute(m.streams, e.Kind.Channel(), gap, r.Offset, e.TS)
	}
}

// send encodes a tick once and gives it to the streams that have it and to the
// mergers.
func (h *Hub) send(s *Symbol, r *Record) {
	if !s.watched() {
		return
	}
	t := &r.Tick
	channel := t.Kind.Channel()
	if len(s.streams) > 0 || s.sendsRaw(channel) {
		h.raw = appendTick(h.raw[:0], h.options.Encoder, s.book.Instrument, t)
	}
	h.distribute(s.streams, channel, h.raw, r.Offset, t.TS)
	for _, m := range s.mergers {
		h.take(m, t, r.Offset, h.raw)
	}
}

// watched reports whether the symbol has anyone to encode for.
func (s *Symbol) watched() bool { return s.keyed && len(s.streams)+len(s.mergers) > 0 }

// sendsRaw reports whether a merger sends ticks of a channel as they are.
func (s *Symbol) sendsRaw(c feed.Channel) bool {
	for _, m := range s.mergers {
		if !m.level.merges(c) {
			return true
		}
	}
	return false
}

// appendTick encodes one tick as it is.
func appendTick(dst []byte, e Encoder, in *feed.Instrument, t *feed.Tick) []byte {
	switch t.Kind {
	case feed.KindTrade:
		return e.Trade(dst, in, t)
	case feed.KindQuote:
		return e.Quote(dst, in, t, t.Seq)
	default:
		return e.Note(dst, in, t)
	}
}

// distribute adds a message to those streams, all of one level, whose set has its
// channel. A framing is made once however many streams want it.
func (h *Hub) distribute(streams []*Stream, c feed.Channel, msg []byte, offset, ts int64) {
	made := framings
	for _, s := range streams {
		if !s.key.set.has(c) {
			continue
		}
		if f := s.key.framing; f != made {
			h.frame = appendFramed(h.frame[:0], f, msg, func(dst []byte) []byte {
				return h.appendPlace(dst, s.key.symbol.lane, offset, none)
			})
			made = f
		}
		h.extend(s, h.frame, unit{first: offset, last: offset}, ts)
	}
}

func (h *Hub) extend(s *Stream, frame []byte, u unit, ts int64) {
	s.append(frame, u, ts)
	if !s.marked {
		s.marked = true
		h.marked = append(h.marked, s)
	}
}

// has reports whether ticks of a channel belong to the set.
func (s Set) has(c feed.Channel) bool {
	switch c {
	case feed.Trades:
		return s&TradesOnly != 0
	case feed.Quotes:
		return s&QuotesOnly != 0
	default:
		return s != Bars
	}
}

// evict forgets what has left the window, once a second of the lane's time.
func (h *Hub) evict(l *lane) {
	if l.time-l.evicted < int64(time.Second) {
		return
	}
	l.evicted = l.time
	limit := l.time - int64(h.options.Window)
	before := l.memory
	l.memory = memory{}
	for _, s := range l.symbols {
		s.ring.evict(func(e *entry) bool { return e.TS < limit }, s.forget)
		l.memory.ring += s.ring.bytes()
		for _, stream := range s.streams {
			l.memory.chunks += stream.evict(limit)
		}
		for _, m := range s.mergers {
			for _, stream := range m.streams {
				l.memory.chunks += stream.evict(limit)
			}
		}
		for _, b := range s.bars {
			l.memory.chunks += b.evict(limit)
		}
	}
	h.metrics.memory.Add(float64(l.memory.ring - before.ring))
	h.metrics.chunks.Add(float64(l.memory.chunks - before.chunks))
	l.steps.evict(func(s *step) bool { return s.ts < limit }, nil)
}

// forget notes where the newest tick of each channel was that falls out.
func (s *Symbol) forget(items []entry) {
	for i := range items {
		s.gone[items[i].Kind.Channel()].Store(items[i].Offset)
	}
}

// Tick does what depends on wall time alone: it is called a few times a second.
func (h *Hub) Tick() {
	now := h.now().UnixNano()
	h.dropIdle(now)
	h.watchLanes(now)
}
