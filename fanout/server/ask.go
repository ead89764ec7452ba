package server

import (
	"slices"
	"strconv"
	"strings"

	"github.com/tapecast/tapecast/charts"
	"github.com/tapecast/tapecast/fanout"
	"github.com/tapecast/tapecast/feed"
)

// ask is what a client asks for, in the words of the protocol: the parameters
// of a query, or the fields of a command.
type ask struct {
	Symbols    []string                     `json:"symbols"`
	Priority   int                          `json:"priority"`
	Channels   []string                     `json:"channels"`
	Resolution string                       `json:"resolution"`
	Slow       string                       `json:"slow"`
	MaxRate    int                          `json:"max_rate"`
	MaxBytes   int                          `json:"max_bytes"`
	Cursor     string                       `json:"cursor"`
	Since      map[string]map[string]uint64 `json:"since"`
	Start      string                       `json:"start"`
	End        string                       `json:"end"`
	Speed      string                       `json:"speed"`
}

// want is an ask that was understood.
type want struct {
	all        bool
	names      []string
	set        fanout.Set
	bars       []charts.Interval
	cursor     *fanout.Cursor // nil: from now
	since      map[string]fanout.Since
	resolution fanout.Level
	drop       bool // it wants to be dropped when it is slow
	pace       pace
}

// pace is how much a client wants to get at the most; 0: any.
type pace struct {
	rate, bytes int // messages/s, bytes/s
}

// query reads one parameter; "" when it is missing.
type query func(name string) string

// parameters are those that an ask can have.
func parameters() []string {
	return []string{"symbols", "channels", "resolution", "slow", "max_rate", "max_bytes", "cursor", "start", "end", "speed"}
}

// readAsk reads an ask from a query.
func readAsk(q query) (*ask, error) {
	a := &ask{
		Symbols: split(q("symbols")), Channels: split(q("channels")),
		Resolution: q("resolution"), Slow: q("slow"),
		Cursor: q("cursor"), Start: q("start"), End: q("end"), Speed: q("speed"),
	}
	var err error
	if a.MaxRate, err = number(q, "max_rate", 0, 0, 1<<30); err != nil {
		return nil, err
	}
	if a.MaxBytes, err = number(q, "max_bytes", 0, 0, 1<<30); err != nil {
		return nil, err
	}
	return a, nil
}

// split takes a list apart; empty parts are left out.
func split(list string) []string {
	if list == "" {
		return nil
	}
	parts := strings.Split(list, ",")
	for i := range parts {
		parts[i] = strings.TrimSpace(parts[i])
	}
	return slices.DeleteFunc(parts, func(p string) bool { return p == "" })
}

// number reads a whole number within bounds.
func number(q query, name string, otherwise, low, high int) (int, error) {
	text := q(name)
	if text == "" {
		return otherwise, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < low || n > high {
		return 0, badRequest("%s is %q, must be a whole number from %d to %d", name, text, low, high)
	}
	return n, nil
}

// understand checks all that an ask says.
func (a *ask) understand() (*want, error) {
	w := &want{}
	if err := w.takeSymbols(a.Symbols); err != nil {
		return nil, err
	}
	channels := a.Channels
	if len(channels) == 0 {
		channels = []string{"trades", "quotes"}
	}
	if err := w.takeChannels(channels); err != nil {
		return nil, err
	}
	if err := w.takeResolution(a); err != nil {
		return nil, err
	}
	return w, w.takePlace(a)
}

func (w *want) takeSymbols(symbols []string) error {
	if len(symbols) == 0 {
		return badRequest("symbols is missing: name them (symbols=AAPL,MSFT), or take all (symbols=*)")
	}
	if slices.Contains(symbols, "*") {
		w.all = true
		return nil
	}
	seen := make(map[string]bool, len(symbols))
	for _, s := range symbols {
		if !seen[s] {
			seen[s] = true
			w.names = append(w.names, s)
		}
	}
	return nil
}

// takeChannels reads channels. Statuses come along with trades and quotes, so
// they can be named but change nothing.
func (w *want) takeChannels(channels []string) error {
	statuses := false
	for _, name := range channels {
		switch name {
		case "trades":
			w.set |= fanout.TradesOnly
		case "quotes":
			w.set |= fanout.QuotesOnly
		case "statuses":
			statuses = true
		default:
			text, ok := strings.CutPrefix(name, "bars:")
			if !ok {
				return badRequest("channel %q must be one of trades, quotes, statuses, bars:<interval>", name)
			}
			interval, err := charts.ParseInterval(text)
			if err != nil {
				return badRequest("channel %q: %v", name, err)
			}
			if !slices.Contains(w.bars, interval) {
				w.bars = append(w.bars, interval)
			}
		}
	}
	if statuses && w.set == 0 {
		return badRequest("statuses come along with trades or quotes: ask for one of these")
	}
	return nil
}

// takeResolution reads how fine a client wants to get data, and how fast.
func (w *want) takeResolution(a *ask) error {
	level, ok := fanout.ParseResolution(a.Resolution)
	switch {
	case !ok:
		return badRequest("resolution %q must be one of raw, 100ms, 250ms, 1s, 5s", clip(a.Resolution))
	case a.Slow != "" && a.Slow != "adapt" && a.Slow != "drop":
		return badRequest("slow is %q, must be adapt or drop", clip(a.Slow))
	case a.MaxRate < 0 || a.MaxBytes < 0:
		return badRequest("max_rate and max_bytes must not be negative")
	}
	w.resolution, w.drop, w.pace = level, a.Slow == "drop", pace{rate: a.MaxRate, bytes: a.MaxBytes}
	return nil
}

// A paced client is to get each symbol at least once in this time, in which it
// takes about this many messages and bytes.
const (
	longestRound  = 30 // s
	roundMessages = 2  // an agg and a quote
	roundBytes    = 400
)

// check refuses a pace at which data would be too old when it is sent.
func (p pace) check(symbols int) error {
	if least := ceil(symbols*roundMessages, longestRound); p.rate > 0 && p.rate < least {
		return badRequest("max_rate is %d, too low for %d symbols: at least %d, so that each is sent every %d s", p.rate, symbols, least, longestRound)
	}
	if least := ceil(symbols*roundBytes, longestRound); p.bytes > 0 && p.bytes < least {
		return badRequest("max_bytes is %d, too low for %d symbols: at least %d, so that each is sent every %d s", p.bytes, symbols, least, longestRound)
	}
	return nil
}

func ceil(n, by int) int { return (n + by - 1) / by }

// takePlace reads where a stream is to begin.
func (w *want) takePlace(a *ask) error {
	if a.Cursor != "" && a.Start != "" {
		return badRequest("cursor and start exclude each other: give one of them")
	}
	if err := a.checkStart(); err != nil {
		return err
	}
	if a.Cursor == "" {
		if len(a.Since) > 0 {
			return badRequest("since says what to skip and needs a cursor, which says where to read from")
		}
		return nil
	}
	c, err := fanout.ParseCursor(a.Cursor)
	if err != nil {
		return refuse(400, "bad_cursor", "%v", err)
	}
	w.cursor = &c
	w.since, err = readSince(a.Since)
	return err
}

func (a *ask) checkStart() error {
	if a.Start != "" && a.Start != "now" {
		if _, err := parseTime("start", a.Start); err != nil {
			return err
		}
		return unsupported("a start in the past is not available in this version; use start=now or a cursor")
	}
	if a.End != "" || a.Speed != "" {
		return unsupported("end and speed belong to replays, which are not available in this version; leave them out")
	}
	return nil
}

// readSince reads the last seqs that a client has, by symbol and channel.
func readSince(in map[string]map[string]uint64) (map[string]fanout.Since, error) {
	if len(in) == 0 {
		return nil, nil
	}
	out := make(map[string]fanout.Since, len(in))
	for symbol, seqs := range in {
		var s fanout.Since
		for name, seq := range seqs {
			switch name {
			case feed.Trades.String():
				s.Seq[feed.Trades], s.Known[feed.Trades] = seq, true
			case feed.Quotes.String():
				s.Seq[feed.Quotes], s.Known[feed.Quotes] = seq, true
			case feed.Statuses.String():
				s.Seq[feed.Statuses], s.Known[feed.Statuses] = seq, true
			default:
				return nil, badRequest("since of %s: channel %q must be one of trades, quotes, statuses", clip(symbol), clip(name))
			}
		}
		out[symbol] = s
	}
	return out, nil
}

// clip shortens what a client sent so that it can be repeated to it.
func clip(s string) string {
	const most = 64
	if len(s) > most {
		return strings.ToValidUTF8(s[:most], "") + "…"
	}
	return s
}
