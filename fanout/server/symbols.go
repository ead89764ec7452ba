package server

import (
	"github.com/gofiber/fiber/v2"

	"github.com/tapecast/tapecast/fanout"
	"github.com/tapecast/tapecast/fanout/wire"
)

// symbols answers GET /v1/symbols: what there is.
func (s *Server) symbols(c *fiber.Ctx) error {
	e, err := s.ready()
	if err != nil {
		return err
	}
	cursor, _ := e.hub.Cut()
	d := e.hub.Directory()
	body := []byte(`{"symbols":[`)
	for i, sym := range d.Symbols {
		body = comma(body, i)
		body = wire.Symbol(body, sym.State().Instrument)
	}
	body = append(append(body, `],"tape":"`...), d.Tape.String()...)
	return answerWith(c, append(body, `",`...), cursor)
}

// snapshot answers GET /v1/snapshot: the state of symbols at one cut.
func (s *Server) snapshot(c *fiber.Ctx) error {
	e, err := s.ready()
	if err != nil {
		return err
	}
	if err := checkQuery(c); err != nil {
		return err
	}
	if c.Query("at") != "" {
		return unsupported("at is not available in this version; leave it out for the state now")
	}
	w := &want{}
	if err := w.takeSymbols(split(c.Query("symbols"))); err != nil {
		return err
	}
	p, err := e.plan(w, len(e.hub.Directory().Symbols))
	if err != nil {
		return err
	}
	states, cursor := e.states(p.symbols)
	body := []byte(`{"snapshots":[`)
	for i, st := range states {
		body = comma(body, i)
		body = wire.JSON{}.Snapshot(body, st)
	}
	body = append(body, `],`...)
	if len(p.unknown) > 0 {
		body = append(unknownSymbols(p.unknown).words("").Append(append(body, `"error":`...)), ',')
	}
	return answerWith(c, body, cursor)
}

// states returns the states of symbols and a cursor, such that a subscription
// from the cursor goes on right after them. Ingest may be about to publish a
// newer cut, whose states are there a few µs before it: then it is asked again.
func (e *engine) states(symbols []*fanout.Symbol) (states []*fanout.State, cursor string) {
	const patience = 1000
	for range patience {
		var clean bool
		if states, cursor, clean = e.statesOnce(symbols); clean {
			break
		}
	}
	// A cursor that is a little older than the states is right too: what it brings
	// again has seqs that the states have.
	return states, cursor
}

func (e *engine) statesOnce(symbols []*fanout.Symbol) (states []*fanout.State, cursor string, clean bool) {
	at := e.cut()
	clean = true
	for _, s := range symbols {
		st := s.State()
		clean = clean && st.Next <= at.Position[s.Lane()]
		states = append(states, st)
	}
	return states, at.String(), clean
}

func comma(dst []byte, i int) []byte {
	if i > 0 {
		return append(dst, ',')
	}
	return dst
}

// answerWith sends a JSON body whose last field is the cursor.
func answerWith(c *fiber.Ctx, body []byte, cursor string) error {
	body = append(append(body, `"cursor":"`...), cursor...)
	c.Set(fiber.HeaderContentType, fiber.MIMEApplicationJSON)
	c.Set(fiber.HeaderCacheControl, "no-store")
	c.Context().Response.SetBodyRaw(append(body, `"}`...))
	return nil
}
