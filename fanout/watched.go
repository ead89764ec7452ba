package fanout

import "github.com/tapecast/tapecast/charts"

// fewSlots is up to how many slots a client has no map of them: it costs more
// memory than all else that an idle client needs.
const fewSlots = 8

// find returns the slot of a key.
func (c *Subscriber) find(key slotKey) (int, bool) {
	if c.byKey != nil {
		i, ok := c.byKey[key]
		return i, ok
	}
	for i := range c.slots {
		if s := &c.slots[i]; s.watch != nil && s.key == key {
			return i, true
		}
	}
	return 0, false
}

// live returns how many slots are in use.
func (c *Subscriber) live() int { return len(c.slots) - len(c.vacant) }

// enlist notes that a slot is in use, for find.
func (c *Subscriber) enlist(key slotKey, i int) {
	if c.byKey == nil && len(c.slots) > fewSlots {
		c.byKey = make(map[slotKey]int, 2*fewSlots)
		for n := range c.slots {
			if s := &c.slots[n]; s.watch != nil {
				c.byKey[s.key] = n
			}
		}
	}
	if c.byKey != nil {
		c.byKey[key] = i
	}
}

// Watches says what a client gets.
type Watches struct {
	Symbols map[*Symbol]struct{}
	Set     Set // of some symbol
	Bars    []charts.Interval
}

// Watches returns what the client gets now. To be called within Do or Start.
func (c *Subscriber) Watches() Watches {
	w := Watches{Symbols: make(map[*Symbol]struct{}, c.live())}
	has := map[charts.Interval]bool{}
	for i := range c.slots {
		s := &c.slots[i]
		if s.watch == nil {
			continue
		}
		w.Symbols[s.key.symbol] = struct{}{}
		if s.watch.key.set == Bars {
			has[s.key.interval] = true
		} else {
			w.Set |= s.watch.key.set
		}
	}
	for _, i := range charts.Intervals() {
		if has[i] {
			w.Bars = append(w.Bars, i)
		}
	}
	return w
}
