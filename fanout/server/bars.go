package server

import (
	"math"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/tapecast/tapecast/charts"
	"github.com/tapecast/tapecast/fanout"
	"github.com/tapecast/tapecast/fanout/wire"
)

// symbolOf returns the one symbol that a request names.
func (e *engine) symbolOf(c *fiber.Ctx) (*fanout.Symbol, error) {
	name := c.Query("symbol")
	if name == "" {
		return nil, badRequest("symbol is missing: name one (symbol=AAPL)")
	}
	sym := e.hub.Directory().Lookup(name)
	if sym == nil {
		return nil, unknownSymbols([]string{name})
	}
	return sym, nil
}

// timeOf reads a time that may be left out.
func timeOf(c *fiber.Ctx, name string, otherwise int64) (int64, error) {
	text := c.Query(name)
	if text == "" {
		return otherwise, nil
	}
	return parseTime(name, text)
}

// bars answers GET /v1/bars: those from start on, or without start the newest
// ones.
func (s *Server) bars(c *fiber.Ctx) error {
	e, err := s.ready()
	if err != nil {
		return err
	}
	sym, err := e.symbolOf(c)
	if err != nil {
		return err
	}
	interval, err := charts.ParseInterval(orElse(c.Query("interval"), "1m"))
	if err != nil {
		return badRequest("%v", err)
	}
	limit, err := number(func(n string) string { return c.Query(n) }, "limit", defaultCount, 1, maxCount)
	if err != nil {
		return err
	}
	start, err := timeOf(c, "start", math.MinInt64)
	if err != nil {
		return err
	}
	end, err := timeOf(c, "end", time.Now().Add(24*time.Hour).UnixNano())
	if err != nil {
		return err
	}
	if start >= end {
		return badRequest("start must be before end")
	}
	cursor, _ := e.hub.Cut()
	if start == math.MinInt64 {
		windows, open := sym.LastBars(nil, interval, end, limit)
		return sendBars(c, sym, interval, windows, open, "", cursor)
	}
	windows, open := sym.Bars(nil, interval, start, end, limit+1)
	next := ""
	if len(windows) > limit {
		next = time.Unix(0, windows[limit].Start).UTC().Format(time.RFC3339)
		windows, open = windows[:limit], false
	}
	return sendBars(c, sym, interval, windows, open, next, cursor)
}

// sendBars answers with windows, the last of which may be open. next is the
// start of the page after them; "": there is none.
func sendBars(c *fiber.Ctx, sym *fanout.Symbol, i charts.Interval, windows []charts.Window, open bool, next, cursor string) error {
	in := sym.State().Instrument
	body := append([]byte(`{"sym":"`), sym.Name()...)
	body = append(append(body, `","i":"`...), i.String()...)
	body = append(body, `","bars":[`...)
	for n := range windows {
		body = comma(body, n)
		body = wire.JSON{}.Bar(body, in, &windows[n], !open || n < len(windows)-1)
	}
	body = append(append(body, `],"next":"`...), next...)
	return answerWith(c, append(body, `",`...), cursor)
}

func orElse(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}
