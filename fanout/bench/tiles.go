package bench

// Tiling counts what the cheap check of every client found: that per symbol and
// channel the ranges tile the sequence.
type Tiling struct {
	Holes     uint64 `json:"holes"`    // ranges that never came
	Missing   uint64 `json:"missing"`  // ticks in these
	Overlaps  uint64 `json:"overlaps"` // ranges that came again, or late
	Gaps      uint64 `json:"gaps"`     // ranges that the server said are lost: legal
	Malformed uint64 `json:"malformed"`
	Unasked   uint64 `json:"unasked"` // messages of symbols that nobody asked for
}

// tiles holds, for each client, symbol and channel, the seq that must come next;
// 0: it is not known yet.
type tiles []uint64

// place puts a range into its place.
func (t *Tiling) place(next *uint64, m *message) {
	first := m.first
	if first == 0 {
		first = m.seq
		if m.kind == gap && *next != 0 {
			first = min(*next, m.seq)
		}
	}
	switch {
	case first > m.seq:
		t.Malformed++
		return
	case *next == 0:
	case first > *next:
		t.Holes++
		t.Missing += first - *next
	case first < *next:
		t.Overlaps++
	}
	if m.kind == gap {
		t.Gaps++
	}
	*next = max(*next, m.seq+1)
}

// begin takes up what a snapshot says. One that comes later must stand where the
// ranges do, or before.
func (t *Tiling) begin(next []uint64, last [channels]uint64) {
	for c, seq := range last {
		if n := &next[c]; *n == 0 || seq >= *n {
			if *n != 0 {
				t.Holes++
				t.Missing += seq + 1 - *n
			}
			*n = seq + 1
		}
	}
}
