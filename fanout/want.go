package fanout

import "time"

// want is a shard's request: it needs a stream from now on, or no longer. Wants
// are a stack that shards push and ingest empties, so neither waits for the
// other.
type want struct {
	key     StreamKey
	shard   int
	release bool
	next    *want
}

// linger is how long a stream that nobody reads is still built: a page that
// reloads or a poll that comes back then finds it.
const linger = 30 * time.Second

// push adds a request and wakes ingest. Safe from any goroutine.
func (h *Hub) push(w *want) {
	for {
		w.next = h.wanted.Load()
		if h.wanted.CompareAndSwap(w.next, w) {
			break
		}
	}
	select {
	case h.wakeUp <- struct{}{}:
	default:
	}
}

// serveWants takes all requests, the oldest first.
func (h *Hub) serveWants() {
	var oldest *want
	for w := h.wanted.Swap(nil); w != nil; {
		next := w.next
		w.next, oldest = oldest, w
		w = next
	}
	for w := oldest; w != nil; w = w.next {
		if w.release {
			h.release(h.streams[w.key])
		} else {
			h.attach(w)
		}
	}
}

func (h *Hub) attach(w *want) {
	s := h.streams[w.key]
	if s == nil {
		s = h.build(w.key)
	}
	s.shards++
	h.attached = append(h.attached, attachment{stream: s, shard: w.shard, head: s.head})
}

func (h *Hub) release(s *Stream) {
	s.shards--
	if s.shards == 0 {
		s.idle = h.now().UnixNano()
		h.idle = append(h.idle, s)
	}
}

// build begins a stream: it has what is ingested from now on.
func (h *Hub) build(key StreamKey) *Stream {
	sym := key.symbol
	s := newStream(key, h.lanes[sym.lane].next, len(h.shards))
	h.streams[key] = s
	switch {
	case key.set == Bars:
		sym.bars = append(sym.bars, newBarStream(s, sym, h.lanes[sym.lane].time))
	case key.level == Raw:
		sym.streams = append(sym.streams, s)
	default:
		m := h.merger(sym, key.level)
		if !m.empty() {
			s.from = m.first
		}
		m.streams = append(m.streams, s)
	}
	h.metrics.streams.Inc()
	return s
}

// dropIdle takes down the streams that nobody has read for a while.
func (h *Hub) dropIdle(now int64) {
	kept := h.idle[:0]
	for _, s := range h.idle {
		switch {
		case s.shards > 0:
		case now-s.idle < int64(linger):
			kept = append(kept, s)
		default:
			h.drop(s)
		}
	}
	h.idle = kept
}

func (h *Hub) drop(s *Stream) {
	sym := s.key.symbol
	delete(h.streams, s.key)
	sym.streams = without(sym.streams, func(o *Stream) bool { return o == s })
	for _, m := range sym.mergers {
		m.streams = without(m.streams, func(o *Stream) bool { return o == s })
	}
	sym.mergers = without(sym.mergers, func(m *merger) bool { return len(m.streams) == 0 })
	sym.bars = without(sym.bars, func(o *barStream) bool { return o.Stream == s })
	h.metrics.streams.Dec()
}

func without[T any](list []T, is func(T) bool) []T {
	for i, item := range list {
		if is(item) {
			return append(list[:i], list[i+1:]...)
		}
	}
	return list
}
