package fanout

import (
	"sync"
	"time"
)

// Shard delivers to a part of the clients. All of it but Post and wake belongs
// to the one goroutine that calls Pass; a socket driver owns that goroutine and
// gives it a way to be woken.
type Shard struct {
	hub   *Hub
	index int
	at    *pass // the newest one taken

	mu    sync.Mutex
	inbox []func() // guarded by mu
	woken func()   // guarded by mu

	running []func() // the inbox being run; swapped with it
	watches map[StreamKey]*watch
	asked   []*watch // whose streams ingest has not attached yet
	members []*Subscriber
	ready   []*Subscriber // have something to do in this pass
	held    []*Subscriber // polls that wait
	paced   []*Subscriber // have slots served at their own pace
	now     int64         // when the present pass began, ns
	wrote   wrote         // in the present pass
	marks   int           // of slots, in the present pass or the last one
	served  int           // clients that had something to do in it
	scratch []byte
	pieces  []piece
	saved   []join // of the private pieces
	swept   time.Time
}

// watch is a stream as one shard sees it.
type watch struct {
	key    StreamKey
	stream *Stream // nil until ingest has attached it
	head   int64   // how far the passes taken so far have told
	seats  []seat
}

// seat is a subscriber's place among a stream's readers.
type seat struct {
	sub  *Subscriber
	slot int
}

// fillBuffer is how much a subscriber is given to write at once, in bytes.
const fillBuffer = 64 << 10

func newShard(h *Hub, index int) *Shard {
	return &Shard{
		hub: h, index: index, at: h.last.Load(), woken: func() {},
		watches: map[StreamKey]*watch{},
		scratch: make([]byte, 0, fillBuffer),
	}
}

// OnWake sets what is called, from any goroutine and without blocking, when the
// shard has something to do: it must lead to a call of Pass.
func (s *Shard) OnWake(f func()) {
	s.mu.Lock()
	s.woken = f
	s.mu.Unlock()
}

func (s *Shard) wake() {
	s.mu.Lock()
	f := s.woken
	s.mu.Unlock()
	f()
}

// Post runs f on the shard's goroutine, in its next pass. Safe from any
// goroutine.
func (s *Shard) Post(f func()) {
	s.mu.Lock()
	s.inbox = append(s.inbox, f)
	s.mu.Unlock()
	s.wake()
}

// Members returns how many subscribers the shard has. Shard goroutine only.
func (s *Shard) Members() int { return len(s.members) }

// Pass runs what was posted, takes over what ingest has published, and lets each
// subscriber that has something to send write once. It returns when it wants to
// be called again at the latest; it is called earlier when it is woken.
func (s *Shard) Pass(now time.Time) time.Time {
	s.now, s.marks = now.UnixNano(), 0
	s.runInbox()
	for p := s.at.next.Load(); p != nil; p = p.next.Load() {
		s.take(p)
	}
	s.releaseHeld(now)
	s.releasePaced()
	for i := 0; i < len(s.ready); i++ {
		sub := s.ready[i]
		sub.queued = false
		sub.deliver(now)
	}
	s.served = len(s.ready)
	s.ready = s.ready[:0]
	if now.Sub(s.swept) >= time.Second {
		s.swept = now
		s.sweep(now)
	}
	s.report()
	return s.nextCall(now)
}

// Work returns how many times something came for a client's slot, and for how many
// clients, in the last pass: what is gained by passes that come less often. Shard
// goroutine only.
func (s *Shard) Work() (marks, clients int) { return s.marks, s.served }

// report adds what was written to the metrics.
func (s *Shard) report() {
	if s.wrote.writes == 0 {
		return
	}
	end := s.hub.now().UnixNano()
	s.hub.metrics.passed(s.wrote, time.Duration(end-s.now), time.Duration(end-s.at.cut.newest))
	s.wrote = wrote{}
}

func (s *Shard) runInbox() {
	s.mu.Lock()
	s.running, s.inbox = s.inbox, s.running[:0]
	s.mu.Unlock()
	for i, f := range s.running {
		s.running[i] = nil
		f()
	}
}

// take notes who has something to read now.
func (s *Shard) take(p *pass) {
	s.at = p
	for _, m := range p.marks {
		w := m.stream.watches[s.index]
		if w == nil {
			continue
		}
		w.head = m.head
		s.marks += len(w.seats)
		for _, seat := range w.seats {
			seat.sub.mark(seat.slot)
		}
	}
	for _, lane := range p.stale {
		for i := len(s.members) - 1; i >= 0; i-- {
			sub := s.members[i]
			sub.atCut(func() { sub.overtake(lane) })
		}
	}
	for _, a := range p.attached {
		if a.shard != s.index {
			continue
		}
		w := s.watches[a.stream.key]
		if w == nil || w.stream != nil {
			continue
		}
		w.stream, w.head = a.stream, a.head
		a.stream.watches[s.index] = w
		for _, seat := range w.seats {
			seat.sub.mark(seat.slot)
		}
	}
	s.rouse()
}

// rouse marks the slots whose streams are asked for and not there yet: no stream
// tells of what comes for them, and a flush is to have everything up to its cut.
func (s *Shard) rouse() {
	kept := s.asked[:0]
	for _, w := range s.asked {
		if w.stream != nil || len(w.seats) == 0 {
			continue
		}
		kept = append(kept, w)
		for _, seat := range w.seats {
			seat.sub.mark(seat.slot)
		}
	}
	clear(s.asked[len(kept):])
	s.asked = kept
}

// watch seats a subscriber's slot at a stream, which it asks ingest for if the
// shard does not read it yet.
func (s *Shard) watch(key StreamKey, sub *Subscriber, slot int) (*watch, int) {
	w := s.watches[key]
	if w == nil {
		w = &watch{key: key}
		s.watches[key] = w
		if key.level != Paced {
			s.asked = append(s.asked, w)
			s.hub.push(&want{key: key, shard: s.index})
		}
	}
	w.seats = append(w.seats, seat{sub: sub, slot: slot})
	return w, len(w.seats) - 1
}

// unwatch gives a seat back.
func (s *Shard) unwatch(w *watch, at int) {
	last := len(w.seats) - 1
	moved := w.seats[last]
	w.seats[at] = moved
	moved.sub.slots[moved.slot].seat = at
	w.seats[last] = seat{}
	w.seats = w.seats[:last]
	if last > 0 {
		return
	}
	delete(s.watches, w.key)
	if w.stream != nil {
		w.stream.watches[s.index] = nil
	}
	if w.key.level != Paced {
		s.hub.push(&want{key: w.key, shard: s.index, release: true})
	}
}

// queue lets a subscriber deliver in this pass.
func (s *Shard) queue(sub *Subscriber) {
	if !sub.queued && !sub.blocked && !sub.gone {
		sub.queued = true
		s.ready = append(s.ready, sub)
	}
}

// catchUp takes passes until none is waiting and returns the last one's cut.
func (s *Shard) catchUp() *cut {
	for p := s.at.next.Load(); p != nil; p = p.next.Load() {
		s.take(p)
	}
	return s.at.cut
}

// sweep looks after heartbeats and slow clients, once a second.
func (s *Shard) sweep(now time.Time) {
	for i := len(s.members) - 1; i >= 0; i-- {
		s.members[i].sweep(now)
	}
}

// nextCall returns when the next pass is due, woken or not.
func (s *Shard) nextCall(now time.Time) time.Time {
	next := s.swept.Add(time.Second)
	for _, sub := range s.held {
		if due := sub.wait.due(now); due.Before(next) {
			next = due
		}
	}
	return next
}

func (s *Shard) add(sub *Subscriber) {
	sub.seat = len(s.members)
	s.members = append(s.members, sub)
}

func (s *Shard) remove(sub *Subscriber) {
	last := len(s.members) - 1
	s.members[sub.seat] = s.members[last]
	s.members[sub.seat].seat = sub.seat
	s.members[last] = nil
	s.members = s.members[:last]
	s.held = without(s.held, func(o *Subscriber) bool { return o == sub })
	s.paced = without(s.paced, func(o *Subscriber) bool { return o == sub })
}
