package fanout

import "time"

// SetClock replaces the hub's wall clock.
func (h *Hub) SetClock(now func() time.Time) { h.now = now }

// Streams returns how many streams are being built.
func (h *Hub) Streams() int { return len(h.streams) }
