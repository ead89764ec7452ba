package client

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/tapecast/tapecast/charts"
	"github.com/tapecast/tapecast/feed"
)

// starts yields where a snapshot says that each channel stands: 0 where nothing
// has happened yet.
func (m *Message) starts() func(yield func(feed.Channel, uint64) bool) {
	return func(yield func(feed.Channel, uint64) bool) {
		for c, part := range [feed.Channels]*Message{feed.Trades: m.Trade, feed.Quotes: m.Quote, feed.Statuses: m.Status} {
			var seq uint64
			if part != nil {
				seq = part.Seq
			}
			if !yield(feed.Channel(c), seq) {
				return
			}
		}
	}
}

// Report returns what was found so far.
func (t *Tiling) Report() Report {
	t.mu.Lock()
	defer t.mu.Unlock()
	r := t.report
	r.Faults = slices.Clone(r.Faults)
	return r
}

// Symbols returns the symbols of which anything was seen, in alphabetical order.
func (t *Tiling) Symbols() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Sorted(maps.Keys(t.symbols))
}

// Last returns the last seq of a channel that was covered, gaps included.
func (t *Tiling) Last(symbol string, c feed.Channel) uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	if s := t.symbols[symbol]; s != nil {
		return s.channels[c].last
	}
	return 0
}

// Sums returns the sums over the trades from..to of a symbol, which is all that
// came since the start or since the last gap, hole, overlap or reset. Without a
// trade since then, to is from-1 and the bar is empty; of an unknown symbol all
// is zero.
func (t *Tiling) Sums(symbol string) (from, to uint64, sum charts.Bar) {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.symbols[symbol]
	if s == nil || s.from == 0 {
		return 0, 0, charts.Bar{}
	}
	if s.sum.Count == 0 {
		return s.from, s.from - 1, charts.Bar{}
	}
	return s.from, s.sum.Seq, s.sum
}

// Segments returns the sums of all unbroken runs of a symbol's trades, the
// present one last, empty ones left out. Their First and Seq say the ranges.
func (t *Tiling) Segments(symbol string) []charts.Bar {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.symbols[symbol]
	if s == nil {
		return nil
	}
	all := slices.Clone(s.closed)
	if s.sum.Count > 0 {
		all = append(all, s.sum)
	}
	return all
}

// Gaps returns the ranges of a symbol that the service said are lost.
func (t *Tiling) Gaps(symbol string) []Range {
	t.mu.Lock()
	defer t.mu.Unlock()
	if s := t.symbols[symbol]; s != nil {
		return slices.Clone(s.gaps)
	}
	return nil
}

// Compare holds a segment against the truth: the merge of the same range of
// trades by other means. What differs is returned in words and counted as
// altered. Times are compared in µs, as messages carry them.
func (t *Tiling) Compare(symbol string, got, truth charts.Bar) error {
	d := difference(got, truth)
	if d == "" {
		return nil
	}
	err := fmt.Errorf("%s trades %d..%d: %s", symbol, got.First, got.Seq, d)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.altered("%s", err)
	return err
}

// difference says in which fields two bars differ, "" if in none.
func difference(got, want charts.Bar) string {
	var words []string
	check := func(field string, got, want any) {
		if got != want {
			words = append(words, fmt.Sprintf("%s is %v, must be %v", field, got, want))
		}
	}
	check("first seq", got.First, want.First)
	check("last seq", got.Seq, want.Seq)
	check("count", got.Count, want.Count)
	check("first time (µs)", got.T0/1000, want.T0/1000)
	check("last time (µs)", got.TS/1000, want.TS/1000)
	check("open", got.Open, want.Open)
	check("high", got.High, want.High)
	check("low", got.Low, want.Low)
	check("close", got.Close, want.Close)
	check("volume", got.Volume, want.Volume)
	check("turnover", got.Turnover, want.Turnover)
	check("digest", got.Digest, want.Digest)
	return strings.Join(words, ", ")
}
