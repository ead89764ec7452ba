package fanout

import (
	"sort"
	"sync/atomic"
	"unsafe"

	"github.com/tapecast/tapecast/charts"
)

// Set is which ticks of a symbol a stream has. Statuses, corrections, cancels
// and gaps are in every set.
type Set uint8

// The sets. Bars are a stream of their own, of one interval.
const (
	TradesOnly Set = 1
	QuotesOnly Set = 2
	Both       Set = TradesOnly | QuotesOnly
	Bars       Set = 4
)

// StreamKey says what a stream is of.
type StreamKey struct {
	symbol   *Symbol
	set      Set
	interval charts.Interval // of Bars
	level    Level
	framing  framing
}

// Stream is an append-only list of bytes ready to send. Ingest appends; shards
// read what batches have published, at absolute byte numbers.
type Stream struct {
	key  StreamKey
	from int64 // the first lane offset that it has, or would have

	oldest atomic.Pointer[chunk] // the first one still in the window
	unseen *chunk                // ingest only: the first with messages to publish
	last   *chunk                // ingest only: the one being filled
	head   int64                 // ingest only: the next absolute byte
	marked bool                  // ingest only: in the batch being made

	shards  int      // ingest only: how many shards read it
	idle    int64    // ingest only: wall time since when none does, ns
	watches []*watch // by shard: its readers; each only touched by that shard
}

// position is a place in a stream's bytes.
type position struct {
	at    int64  // absolute byte
	chunk *chunk // where at lies, or the one before; a hint
}

// chunk is a piece of a stream. Its bytes and index never change once a batch
// that covers them is published.
type chunk struct {
	start  int64 // absolute byte of data[0]
	data   []byte
	index  []message
	newest int64        // tape time of its last message, ns UTC
	n      atomic.Int64 // published messages
	used   int          // ingest only: bytes
	filled int          // ingest only: messages
	next   atomic.Pointer[chunk]
}

// message is a message's place in a chunk, or that of two which belong together.
type message struct {
	end    int32  // one past its last byte, within the chunk
	span   uint32 // lane offsets from the first record in it to the last
	offset int64  // of the last record in it, in its lane
}

// unit says which records of a lane a message is made of.
type unit struct{ first, last int64 }

// Chunks double from the first to the second size, in bytes; a message's index
// entry is reserved per averageMessage bytes.
const (
	firstChunk     = 1 << 10
	lastChunk      = 64 << 10
	averageMessage = 64
)

func newStream(key StreamKey, from int64, shards int) *Stream {
	s := &Stream{key: key, from: from, watches: make([]*watch, shards)}
	s.last = newChunk(0, firstChunk)
	s.unseen = s.last
	s.oldest.Store(s.last)
	return s
}

func newChunk(start int64, size int) *chunk {
	return &chunk{start: start, data: make([]byte, size), index: make([]message, size/averageMessage+1)}
}

// append adds a framed message of those records, the newest of them at ts, ns
// UTC. Ingest only.
func (s *Stream) append(msg []byte, u unit, ts int64) {
	c := s.last
	if c.used+len(msg) > len(c.data) || c.filled == len(c.index) {
		size := min(max(len(c.data)*2, firstChunk), lastChunk)
		c = newChunk(s.head, max(size, len(msg)))
		s.last.next.Store(c)
		s.last = c
	}
	copy(c.data[c.used:], msg)
	c.used += len(msg)
	c.index[c.filled] = message{end: int32(c.used), span: uint32(u.last - u.first), offset: u.last}
	c.filled++
	c.newest = ts
	s.head += int64(len(msg))
}

// publish makes what was appended visible to find. Ingest only, once per batch.
func (s *Stream) publish() {
	for c := s.unseen; c != nil; c = c.next.Load() {
		c.n.Store(int64(c.filled))
	}
	s.unseen = s.last
}

// evict drops the chunks whose messages are all older than ts, and returns the
// memory of those that are left, in bytes. Ingest only.
func (s *Stream) evict(ts int64) (left int) {
	c := s.oldest.Load()
	for next := c.next.Load(); next != nil && c.newest < ts; next = c.next.Load() {
		c = next
	}
	s.oldest.Store(c)
	for ; c != nil; c = c.next.Load() {
		left += len(c.data) + len(c.index)*int(unsafe.Sizeof(message{}))
	}
	return left
}

// end returns one past the chunk's last byte as far as head tells.
func (c *chunk) end(head int64) int64 {
	if next := c.next.Load(); next != nil && next.start < head {
		return next.start
	}
	return head
}

// locate moves p's hint to the chunk that holds byte p.at, which must be at or
// before a published head. It reports false if that byte is out of the window.
func (s *Stream) locate(p *position) bool {
	c := p.chunk
	if oldest := s.oldest.Load(); c == nil || c.start > p.at || c.start < oldest.start {
		c = oldest
	}
	if c.start > p.at {
		return false
	}
	for next := c.next.Load(); next != nil && next.start <= p.at; next = c.next.Load() {
		c = next
	}
	p.chunk = c
	return true
}

// find returns the place of the first published message at or after a lane
// offset, or of the published end.
func (s *Stream) find(offset int64) position {
	c := s.oldest.Load()
	for {
		n := int(c.n.Load())
		i := sort.Search(n, func(i int) bool { return c.index[i].offset >= offset })
		next := c.next.Load()
		if i < n || next == nil || next.n.Load() == 0 {
			return position{at: c.start + int64(c.endOf(i)), chunk: c}
		}
		c = next
	}
}

// follows reports whether the message before a place is still there: if not, what was
// sought may have been dropped with it.
func (s *Stream) follows(p position) bool { return p.at == 0 || p.at > s.oldest.Load().start }

// endOf returns where the first i messages of the chunk end, within it.
func (c *chunk) endOf(i int) int32 {
	if i == 0 {
		return 0
	}
	return c.index[i-1].end
}

// frameEnd returns the end of the message that byte at lies in, or at itself if
// a message begins there. c must hold that byte and have it published.
func (c *chunk) frameEnd(at int64) int64 {
	within := int32(at - c.start)
	i := sort.Search(int(c.n.Load()), func(i int) bool { return c.index[i].end >= within })
	if within == 0 || c.index[i].end == within {
		return at
	}
	return c.start + int64(c.index[i].end)
}

// next returns the first lane offset in the message that begins at p, and how
// many published messages lie from there to head; 0 and false if there is none.
func (s *Stream) next(p position, head int64) (offset int64, count int, ok bool) {
	if !s.locate(&p) {
		return 0, 0, false
	}
	for c, at := p.chunk, p.at; c != nil && at < head; c = c.next.Load() {
		n := int(c.n.Load())
		end := int32(c.end(head) - c.start)
		first := sort.Search(n, func(i int) bool { return c.index[i].end > int32(at-c.start) })
		last := sort.Search(n, func(i int) bool { return c.index[i].end > end })
		if !ok && first < n {
			offset, ok = c.index[first].offset-int64(c.index[first].span), true
		}
		count += last - first
		at = c.end(head)
	}
	return offset, count, ok
}

// boundary returns how far whole messages reach from byte at: at most to head,
// to the end of the chunk, and room bytes on; the first message goes beyond room
// if alone. at itself: not even one fits.
func (c *chunk) boundary(at, head int64, room int, alone bool) int64 {
	end := c.end(head)
	if end-at <= int64(room) {
		return end
	}
	n := int(c.n.Load())
	within := int32(at - c.start)
	most := within + int32(max(room, 0))
	i := sort.Search(n, func(i int) bool { return c.index[i].end > most })
	if fits := c.endOf(i); fits > within {
		return c.start + int64(fits)
	}
	if alone && i < n {
		return c.start + int64(c.index[i].end)
	}
	return at
}
