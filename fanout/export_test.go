package fanout

import (
	"time"
	"unsafe"
)

// SetClock replaces the hub's wall clock.
func (h *Hub) SetClock(now func() time.Time) { h.now = now }

// Streams returns how many streams are being built.
func (h *Hub) Streams() int { return len(h.streams) }

// PhaseOf returns by how much a symbol's windows are shifted, ns.
func PhaseOf(symbol string) int64 { return phaseOf(symbol) }

// Window returns how much tape time a level merges, ns.
func (l Level) Window() int64 { return l.window() }

// WindowEnd returns the end of the window of a symbol that ts is in, ns UTC.
func (l Level) WindowEnd(symbol string, ts int64) int64 { return l.windowEnd(phaseOf(symbol), ts) }

// Coarser returns the next level down.
func (l Level) Coarser(set Set) Level { return l.coarser(set) }

// Finer returns the next level up.
func (l Level) Finer(set Set, asked Level) Level { return l.finer(set, asked) }

// Held returns about how many bytes are kept for the client alone.
func (c *Subscriber) Held() int {
	return cap(c.rest) + cap(c.control) + 8*(cap(c.dirty)+cap(c.vacant)+cap(c.commands)) +
		cap(c.flush)*int(unsafe.Sizeof(frozen{})) + cap(c.slots)*int(unsafe.Sizeof(slot{})) + cap(c.groups)*int(unsafe.Sizeof(group{}))
}
