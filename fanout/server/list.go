package server

import (
	"slices"

	"github.com/tapecast/tapecast/charts"
	"github.com/tapecast/tapecast/fanout"
)

// list is what a client watches, per symbol. A symbol and channel is in it once,
// however often it was subscribed to.
type list map[*fanout.Symbol]watched

type watched struct {
	set   fanout.Set
	bars  []charts.Interval
	group fanout.Group
}

// count returns how many symbols there would be with those of a plan.
func (l list) count(p *plan) int {
	n := len(l)
	for _, s := range p.symbols {
		if _, ok := l[s]; !ok {
			n++
		}
	}
	return n
}

// add takes a plan in and returns what the subscriber is to be asked for: the
// symbols by what is to come of them, since other channels of a symbol may be
// watched already.
func (l list) add(p *plan) []*fanout.Request {
	var requests []*fanout.Request
	for _, s := range p.symbols {
		w := l[s]
		set := p.set
		if set != 0 {
			set |= w.set
		}
		w.set |= p.set
		w.group = p.request.Group
		for _, i := range p.request.Bars {
			if !slices.Contains(w.bars, i) {
				w.bars = append(slices.Clip(w.bars), i)
			}
		}
		l[s] = w
		requests = group(requests, &p.request, set, s)
	}
	return requests
}

// group puts a symbol into the request of its set and group.
func group(requests []*fanout.Request, like *fanout.Request, set fanout.Set, s *fanout.Symbol) []*fanout.Request {
	for _, r := range requests {
		if r.Set == set && r.Group == like.Group {
			r.Symbols = append(r.Symbols, s)
			return requests
		}
	}
	r := *like
	r.Set, r.Symbols = set, []*fanout.Symbol{s}
	return append(requests, &r)
}

// remove takes channels of symbols out, and tells the subscriber.
func (l list) remove(c *fanout.Subscriber, symbols []*fanout.Symbol, set fanout.Set, bars []charts.Interval) {
	var narrower []*fanout.Request
	for _, s := range symbols {
		w, ok := l[s]
		if !ok {
			continue
		}
		kept := w.set &^ set
		c.Unsubscribe([]*fanout.Symbol{s}, w.set != 0 && kept == 0, bars)
		if kept != 0 && kept != w.set {
			narrower = group(narrower, &fanout.Request{Group: w.group}, kept, s)
		}
		w.set = kept
		w.bars = slices.DeleteFunc(slices.Clone(w.bars), func(i charts.Interval) bool { return slices.Contains(bars, i) })
		if l[s] = w; w.set == 0 && len(w.bars) == 0 {
			delete(l, s)
		}
	}
	for _, r := range narrower {
		c.Subscribe(r)
	}
}

// channels returns the names of all channels that some symbol has.
func (l list) channels() []string {
	var set fanout.Set
	bars := map[charts.Interval]bool{}
	for _, w := range l {
		set |= w.set
		for _, i := range w.bars {
			bars[i] = true
		}
	}
	names := []string{}
	if set&fanout.TradesOnly != 0 {
		names = append(names, "trades")
	}
	if set&fanout.QuotesOnly != 0 {
		names = append(names, "quotes")
	}
	for _, i := range charts.Intervals() {
		if bars[i] {
			names = append(names, "bars:"+i.String())
		}
	}
	return names
}
