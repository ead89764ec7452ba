package socket

import "time"

// patience is the waiting of an epoll loop for clients that are to end: to take
// their last words, or to close their side. Everybody is given the same time, so
// a queue is in order.
type patience struct {
	span  time.Duration
	queue []term
}

// term is how long a link may stay in a phase.
type term struct {
	link  *link
	phase phase
	until time.Time
}

// begin gives a link its time, in the phase in which it is.
func (p *patience) begin(c *link) {
	p.queue = append(p.queue, term{link: c, phase: c.phase, until: time.Now().Add(p.span)})
}

// until returns the earlier of a time and the end of the first term.
func (p *patience) until(t time.Time) time.Time {
	if len(p.queue) > 0 && p.queue[0].until.Before(t) {
		return p.queue[0].until
	}
	return t
}

// lose lets go of those whose time is over.
func (p *patience) lose(now time.Time) {
	for len(p.queue) > 0 && !now.Before(p.queue[0].until) {
		first := p.queue[0]
		p.queue[0] = term{}
		p.queue = p.queue[1:]
		if first.link.phase == first.phase {
			first.link.lose()
		}
	}
	if len(p.queue) == 0 {
		p.queue = nil
	}
}
