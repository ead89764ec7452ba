package server

import (
	"math"

	"github.com/gofiber/fiber/v2"

	"github.com/tapecast/tapecast/fanout"
	"github.com/tapecast/tapecast/fanout/wire"
	"github.com/tapecast/tapecast/feed"
)

// ticks answers GET /v1/ticks: single ticks of a symbol from a time or cursor
// on, as far back as the node remembers.
func (s *Server) ticks(c *fiber.Ctx) error {
	e, err := s.ready()
	if err != nil {
		return err
	}
	sym, err := e.symbolOf(c)
	if err != nil {
		return err
	}
	limit, err := number(func(n string) string { return c.Query(n) }, "limit", defaultCount, 1, maxCount)
	if err != nil {
		return err
	}
	p := extract{symbol: sym, at: e.cut(), limit: limit}
	if err := p.takeChannel(c.Query("channel")); err != nil {
		return err
	}
	if err := p.takeStart(c.Query("start"), c.Query("cursor")); err != nil {
		return err
	}
	p.read()
	body := append([]byte(`{"messages":[`), p.messages...)
	body = append(append(body, `],"next":"`...), p.next...)
	return answerWith(c, append(body, `",`...), p.at.String())
}

// extract is one answer's worth of a symbol's ticks.
type extract struct {
	symbol   *fanout.Symbol
	at       fanout.Cursor // up to where
	limit    int
	channels [feed.Channels]bool
	from     int64 // lane offset
	start    int64 // tape time, ns UTC

	messages []byte
	count    int
	next     string // where the next page begins; "": there is none
}

func (p *extract) takeChannel(name string) error {
	if name == "" {
		for i := range p.channels {
			p.channels[i] = true
		}
		return nil
	}
	for _, n := range split(name) {
		switch n {
		case feed.Trades.String():
			p.channels[feed.Trades] = true
		case feed.Quotes.String():
			p.channels[feed.Quotes] = true
		case feed.Statuses.String():
			p.channels[feed.Statuses] = true
		default:
			return badRequest("channel %q must be one of trades, quotes, statuses", clip(n))
		}
	}
	return nil
}

// takeStart reads where to begin: a time, or the cursor that an answer gave,
// which start takes too.
func (p *extract) takeStart(start, cursor string) error {
	p.start = math.MinInt64
	if start != "" && cursor != "" {
		return badRequest("cursor and start exclude each other: give one of them")
	}
	if start != "" {
		ts, err := parseTime("start", start)
		if err == nil {
			p.start = ts
			return nil
		}
		if _, bad := fanout.ParseCursor(start); bad != nil {
			return err
		}
		cursor = start
	}
	if cursor == "" {
		return nil
	}
	c, err := fanout.ParseCursor(cursor)
	if err != nil {
		return refuse(fiber.StatusBadRequest, "bad_cursor", "%v", err)
	}
	if c.Tape != p.at.Tape || len(c.Position) != len(p.at.Position) {
		return refuse(fiber.StatusBadRequest, "bad_cursor", "the cursor is of another tape; leave it out")
	}
	p.from = c.Position[p.symbol.Lane()]
	return nil
}

// lost says, for each channel that is asked for, what lies before the oldest
// tick in memory, if the start does too. Where the client was is not known: its
// gap begins after what it has.
func (p *extract) lost() {
	var first [feed.Channels]uint64
	for c := range first {
		first[c] = p.symbol.State().Last[c] + 1
	}
	begun, late := false, false
	p.symbol.Recent(0, math.MinInt64, func(t *feed.Tick, g fanout.Gap, offset int64) bool {
		if !begun {
			begun, late = true, (p.from > 0 && p.from < offset) || (p.start > math.MinInt64 && p.start < t.TS)
		}
		c := t.Kind.Channel()
		if g.Seq != 0 {
			first[c] = min(first[c], g.First)
		}
		first[c] = min(first[c], t.Seq)
		return late
	})
	for c, seq := range first {
		if late && p.channels[c] && seq > 1 {
			g := fanout.Gap{Channel: feed.Channel(c), Seq: seq - 1, Reason: fanout.Retention}
			p.messages = wire.JSON{}.Gap(comma(p.messages, p.count), p.symbol.State().Instrument, g)
			p.count++
		}
	}
}

// read encodes ticks up to the cut.
func (p *extract) read() {
	p.lost()
	lane := p.symbol.Lane()
	in := p.symbol.State().Instrument
	until, last := p.at.Position[lane], int64(-1)
	p.symbol.Recent(p.from, p.start, func(t *feed.Tick, g fanout.Gap, offset int64) bool {
		if offset >= until {
			return false
		}
		// A gap and the tick after it have one offset, which a cursor can't divide.
		if p.count >= p.limit && offset != last {
			next := fanout.Cursor{Tape: p.at.Tape, Place: fanout.Place{Position: p.at.Position.Clone()}}
			next.Position[lane] = offset
			p.next = next.String()
			return false
		}
		if !p.channels[t.Kind.Channel()] {
			return true
		}
		p.messages = appendTick(comma(p.messages, p.count), in, t, g)
		p.count++
		last = offset
		return true
	})
}

func appendTick(dst []byte, in *feed.Instrument, t *feed.Tick, g fanout.Gap) []byte {
	switch {
	case g.Seq != 0:
		return wire.JSON{}.Gap(dst, in, g)
	case t.Kind == feed.KindTrade:
		return wire.JSON{}.Trade(dst, in, t)
	case t.Kind == feed.KindQuote:
		return wire.JSON{}.Quote(dst, in, t, t.Seq)
	default:
		return wire.JSON{}.Note(dst, in, t)
	}
}
