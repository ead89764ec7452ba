package server

import "github.com/tapecast/tapecast/fanout"

// count returns how many symbols a client would have with those of a plan.
func count(w fanout.Watches, p *plan) int {
	n := len(w.Symbols)
	for _, s := range p.symbols {
		if _, ok := w.Symbols[s]; !ok {
			n++
		}
	}
	return n
}

// channels returns the names of all channels that some symbol of a client has.
func channels(w fanout.Watches) []string {
	names := []string{}
	if w.Set&fanout.TradesOnly != 0 {
		names = append(names, "trades")
	}
	if w.Set&fanout.QuotesOnly != 0 {
		names = append(names, "quotes")
	}
	for _, i := range w.Bars {
		names = append(names, "bars:"+i.String())
	}
	return names
}
