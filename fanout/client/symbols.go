package client

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/tapecast/tapecast/feed"
)

// Symbols are the instruments that a node serves, by symbol. They say at which
// scale prices and sizes are. Never changed once made, so safe to share.
type Symbols struct {
	Tape   string // id of the tape
	Cursor string // where a subscription goes on from this list without a seam

	known map[string]*feed.Instrument
}

// NewSymbols returns the symbols of a list of instruments.
func NewSymbols(list ...feed.Instrument) *Symbols {
	s := &Symbols{known: make(map[string]*feed.Instrument, len(list))}
	for _, in := range list {
		s.known[in.Symbol] = &in
	}
	return s
}

// Instrument returns what a symbol is, or nil. The result is shared.
func (s *Symbols) Instrument(symbol string) *feed.Instrument {
	if s == nil {
		return nil
	}
	return s.known[symbol]
}

// lookup is Instrument of a symbol's bytes, without an allocation.
func (s *Symbols) lookup(symbol []byte) *feed.Instrument {
	if s == nil {
		return nil
	}
	return s.known[string(symbol)]
}

// All returns the symbols in alphabetical order.
func (s *Symbols) All() []string { return slices.Sorted(maps.Keys(s.known)) }

// ParseSymbols reads the answer of GET /v1/symbols.
func ParseSymbols(body []byte) (*Symbols, error) {
	var in struct {
		Symbols []symbolJSON `json:"symbols"`
		Tape    string       `json:"tape"`
		Cursor  string       `json:"cursor"`
	}
	if err := json.Unmarshal(body, &in); err != nil {
		return nil, fmt.Errorf("list of symbols: %w", err)
	}
	if in.Symbols == nil {
		return nil, errors.New(`list of symbols: "symbols" is missing`)
	}
	list := make([]feed.Instrument, 0, len(in.Symbols))
	for i, row := range in.Symbols {
		one, err := row.instrument()
		if err != nil {
			return nil, fmt.Errorf("list of symbols: entry %d: %w", i, err)
		}
		list = append(list, one)
	}
	s := NewSymbols(list...)
	s.Tape, s.Cursor = in.Tape, in.Cursor
	return s, nil
}

type symbolJSON struct {
	Sym      string          `json:"sym"`
	Name     string          `json:"name"`
	Class    string          `json:"class"`
	Tick     json.RawMessage `json:"tick"`
	Lot      json.RawMessage `json:"lot"`
	Decimals uint8           `json:"decimals"`
	Scale    uint8           `json:"scale"`
}

// instrument leaves Class, Tick and Lot at zero where the list does not say
// them in a way this client knows: it does not need them.
func (r *symbolJSON) instrument() (feed.Instrument, error) {
	if r.Sym == "" {
		return feed.Instrument{}, errors.New(`"sym" is missing`)
	}
	if r.Decimals > feed.MaxDecimals || r.Scale > feed.MaxDecimals {
		return feed.Instrument{}, fmt.Errorf("%.40q has %d and %d decimals, at most %d are known",
			r.Sym, r.Decimals, r.Scale, feed.MaxDecimals)
	}
	in := feed.Instrument{Symbol: r.Sym, Name: r.Name, Decimals: r.Decimals, Scale: r.Scale}
	if class, err := feed.ParseClass(r.Class); err == nil {
		in.Class = class
	}
	if v, err := fixed(r.Tick, r.Decimals); err == nil {
		in.Tick = feed.Price(v)
	}
	if v, err := fixed(r.Lot, r.Scale); err == nil {
		in.Lot = feed.Size(v)
	}
	return in, nil
}
