package server

import (
	"github.com/gofiber/fiber/v2"

	"github.com/tapecast/tapecast/fanout"
	"github.com/tapecast/tapecast/fanout/wire"
)

// plan is a want in terms of a hub.
type plan struct {
	symbols []*fanout.Symbol
	set     fanout.Set
	request fanout.Request
	// reset says that the client's cursor is of another tape, so that it begins
	// anew.
	reset   bool
	unknown []string // symbols that the hub does not know
	drop    bool     // the client wants to be dropped when it is slow
	pace    pace
}

// plan looks up what a want names. It fails if nothing of it is known.
func (e *engine) plan(w *want, limit int) (*plan, error) {
	d := e.hub.Directory()
	p := &plan{set: w.set, drop: w.drop, pace: w.pace}
	if w.all {
		p.symbols = d.Symbols
	}
	for _, name := range w.names {
		if s := d.Lookup(name); s != nil {
			p.symbols = append(p.symbols, s)
		} else {
			p.unknown = append(p.unknown, name)
		}
	}
	if len(p.symbols) == 0 {
		return nil, unknownSymbols(p.unknown)
	}
	if len(p.symbols) > limit {
		return nil, tooMany(len(p.symbols), limit)
	}
	if err := w.pace.check(len(p.symbols)); err != nil {
		return nil, err
	}
	p.request = fanout.Request{
		Symbols: p.symbols, Set: w.set, Bars: w.bars, Group: fanout.Group{Resolution: w.resolution},
	}
	if w.cursor != nil {
		p.place(e, w)
	}
	return p, nil
}

// place sets where the client goes on, if its cursor is of this tape.
func (p *plan) place(e *engine, w *want) {
	here := e.cut()
	if w.cursor.Tape != here.Tape || len(w.cursor.Position) != len(here.Position) {
		p.reset = true
		return
	}
	p.request.Cursor, p.request.Since = w.cursor, w.since
}

// cut returns the place up to which everything has been published.
func (e *engine) cut() fanout.Cursor {
	text, _ := e.hub.Cut()
	c, err := fanout.ParseCursor(text)
	if err != nil {
		// The hub makes nothing that can't be read.
		panic("server: the hub's own cursor: " + err.Error())
	}
	return c
}

func tooMany(n, limit int) *failure {
	return refuse(fiber.StatusBadRequest, "too_many_symbols", "%d symbols are more than the %d that one client may have; name fewer, or open another connection", n, limit)
}

func unknownSymbols(names []string) *failure {
	f := refuse(fiber.StatusNotFound, "unknown_symbol", "%s; /v1/symbols lists those that there are", describe(names))
	f.symbols = listed(names)
	return f
}

func describe(names []string) string {
	switch len(names) {
	case 0:
		return "there are no symbols yet"
	case 1:
		return "symbol " + clip(names[0]) + " is unknown"
	default:
		return "these symbols are unknown"
	}
}

// listed returns as many names as an error may repeat.
func listed(names []string) []string {
	if len(names) > maxListed {
		names = names[:maxListed]
	}
	out := make([]string, len(names))
	for i, n := range names {
		out[i] = clip(n)
	}
	return out
}

// words returns a failure as a message of the protocol.
func (f *failure) words(id string) wire.Failure {
	return wire.Failure{ID: id, Code: f.code, Message: f.message, Symbols: f.symbols}
}
