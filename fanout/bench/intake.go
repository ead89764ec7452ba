package bench

import (
	"bytes"
	"fmt"
)

// scan reads the messages that are in a payload, a line or an answer, and returns
// how much of it is done with: all, if it is whole.
func (r *reader) scan(c *conn, unit []byte, whole bool, now int64) (used int, err error) {
	if r.field != nil {
		return r.foreign(c, unit, whole, now), nil
	}
	single := r.target.native && r.target.form == frames && whole
	for {
		b := unit[used:]
		if len(b) < len(begin) || string(b[:len(begin)]) != begin {
			i := bytes.Index(b, []byte(begin))
			if i < 0 {
				return r.rest(unit, used, whole), nil
			}
			used += i
			b = unit[used:]
		}
		n := r.m.read(b)
		switch {
		case n == 0 && whole:
			r.tiling.Malformed++
			return len(unit), nil
		case n == 0, r.m.kind >= snapshot && !whole:
			return used, nil
		}
		if err := r.message(c, b, now); err != nil {
			return used, err
		}
		if used += n; single {
			return len(unit), nil
		}
	}
}

// rest is what has been done with of a payload without another message: of one
// that goes on, the beginning of the next may be at its end.
func (r *reader) rest(unit []byte, used int, whole bool) int {
	if whole {
		return len(unit)
	}
	return max(used, len(unit)-len(begin)+1)
}

// message takes the message m, which b begins with.
func (r *reader) message(c *conn, b []byte, now int64) error {
	if c.check {
		r.checks[c.id].observe(b)
	}
	m := &r.m
	switch {
	case m.ranged():
		r.place(c, now)
	case m.kind == snapshot:
		sym, last := starts(b[:object(b)])
		if slot := r.slot(c, sym); slot >= 0 {
			r.tiling.begin(r.tile(c, slot), last)
			for channel, seq := range last {
				r.reached(r.symbol(c, slot), channel, seq+1)
			}
		}
	case m.kind == subscribed:
		c.phase = streaming
		if c.sort == reconnecting {
			c.cursor = value(b, "cursor")
		}
	case m.kind == failed:
		return fmt.Errorf("the server says: %.300s", b[:object(b)])
	case m.kind == bye:
		return fmt.Errorf("the server said bye: %s", value(b, "code"))
	}
	return nil
}

// place checks and counts the range m.
func (r *reader) place(c *conn, now int64) {
	m := &r.m
	if m.seq == 0 {
		r.tiling.Malformed++
		return
	}
	slot := r.slot(c, m.sym)
	if slot < 0 {
		r.tiling.Unasked++
		return
	}
	r.tiling.place(&r.tile(c, slot)[m.channel], m)
	r.reached(r.symbol(c, slot), int(m.channel), m.seq+1)
	if m.kind == gap {
		return
	}
	r.delivered += m.ticks()
	if r.measuring {
		r.tallies[c.sort].record(m, now)
	}
}

// reached notes how far a symbol is, as far as any client knows.
func (r *reader) reached(symbol, channel int, next uint64) {
	head := &r.heads[symbol*channels+channel]
	*head = max(*head, next)
}

// slot returns which of a client's symbols that is; -1: none.
func (r *reader) slot(c *conn, sym []byte) int {
	n := len(r.names)
	start := int(c.id) % n
	if r.each == 1 && r.names[start] == string(sym) {
		return 0
	}
	i, ok := r.index[string(sym)]
	if !ok {
		return -1
	}
	if r.each == n {
		return int(i)
	}
	slot := int(i) - start
	if slot < 0 {
		slot += n
	}
	if slot >= r.each {
		return -1
	}
	return slot
}

// symbol is the reverse of slot.
func (r *reader) symbol(c *conn, slot int) int {
	n := len(r.names)
	if r.each == n {
		return slot
	}
	return (int(c.id)%n + slot) % n
}

// foreign counts the times in another server's JSON, each of which is a tick.
func (r *reader) foreign(c *conn, unit []byte, whole bool, now int64) (used int) {
	for {
		i := bytes.Index(unit[used:], r.field)
		if i < 0 {
			if whole {
				return len(unit)
			}
			return max(used, len(unit)-len(r.field)+1)
		}
		v, end := number(unit, used+i+len(r.field))
		if end == 0 {
			if whole {
				return len(unit)
			}
			return used + i
		}
		used = end
		r.m = message{kind: trade, seq: 1, first: 1, ts: micros(int64(v))}
		r.delivered++
		if r.measuring {
			r.tallies[c.sort].record(&r.m, now)
		}
	}
}

// micros returns a time since 1970 in µs. Its unit is told by its size, which
// holds for the years 2001 to 2286.
func micros(v int64) int64 {
	switch {
	case v < 1e10:
		return v * 1e6
	case v < 1e13:
		return v * 1e3
	case v < 1e16:
		return v
	default:
		return v / 1e3
	}
}

// object returns the length of the JSON object that b begins with; all of b if it
// has no end.
func object(b []byte) int {
	depth, quoted := 0, false
	for i := 0; i < len(b); i++ {
		switch b[i] {
		case '\\':
			i++
		case '"':
			quoted = !quoted
		case '{':
			if !quoted {
				depth++
			}
		case '}':
			if quoted {
				continue
			}
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
	return len(b)
}
