package feed

import "slices"

// Position addresses a place on a tape: the next offset to read, one per lane.
// It says where a client is, where a message came from and where a bar ends.
type Position []int64

// Clone returns a copy that shares nothing with p.
func (p Position) Clone() Position { return slices.Clone(p) }

// Covers reports whether p is at or past q on every lane. Positions of tapes
// with different numbers of lanes never cover each other.
func (p Position) Covers(q Position) bool {
	if len(p) != len(q) {
		return false
	}
	for lane := range p {
		if p[lane] < q[lane] {
			return false
		}
	}
	return true
}
