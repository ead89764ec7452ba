package client

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tapecast/tapecast/charts"
)

// Transport is a way to carry the same messages.
type Transport uint8

// The transports. A client may change over while it runs, see Client.Switch.
const (
	WebSocket Transport = iota
	SSE
	LongPoll
	ShortPoll
)

// String returns the transport's name as users write it.
func (t Transport) String() string {
	switch t {
	case WebSocket:
		return "ws"
	case SSE:
		return "sse"
	case LongPoll:
		return "long-poll"
	case ShortPoll:
		return "short-poll"
	default:
		return fmt.Sprintf("transport(%d)", uint8(t))
	}
}

// ParseTransport reads a transport's name: ws, sse, long-poll (or poll) or
// short-poll.
func ParseTransport(s string) (Transport, error) {
	if s == "poll" {
		return LongPoll, nil
	}
	for t := WebSocket; t <= ShortPoll; t++ {
		if t.String() == s {
			return t, nil
		}
	}
	return 0, fmt.Errorf("transport %q must be one of ws, sse, long-poll, short-poll", s)
}

// Bounds and defaults. maxMessage bounds one message, maxBody a poll's answer or
// an event, which hold many.
const (
	maxMessage = 1 << 20
	maxBody    = 16 << 20
	maxLimit   = 1000 // messages in a poll's answer, as the protocol says

	defaultHeartbeat    = 15 * time.Second // what the protocol says, until a hello says it
	defaultPollWait     = 25 * time.Second
	defaultPollInterval = time.Second
	defaultMaxBackoff   = 5 * time.Second
)

// Options say what a client gets, from where and how. Base and Symbols are
// needed, all else has a default.
type Options struct {
	Base      string   // URL of a node, as http://127.0.0.1:8080
	Bases     []string // further nodes that serve the same tape, to go on at when one fails
	Transport Transport

	Symbols    []string // "*" alone is all of them
	Channels   []string // trades, quotes, bars:1m …; default trades and quotes
	Resolution string   // raw, 100ms, 250ms, 1s or 5s; default raw
	Slow       string   // adapt or drop; default adapt; not said by polls
	MaxRate    int      // messages per second, 0: no bound; not said by polls, which have none
	MaxBytes   int      // bytes per second, 0: no bound; not said by polls
	// NoAck keeps a WebSocket client from telling the node once a second how far it
	// is. The node then does not see what waits on the way, as in a proxy, and adapts
	// a slow client later.
	NoAck bool

	// Cursor and Since are a State to go on from. Without them the stream begins
	// with snapshots, or at Start: now, an RFC 3339 time or as -10m, until End, at
	// a Speed of 1, 10 or max.
	Cursor            string
	Since             Since
	Start, End, Speed string

	Limit        int           // messages in a poll's answer, the older ones merged to keep to it; default 1000, the most
	PollWait     time.Duration // how long a long poll waits, whole seconds; default 25 s
	PollInterval time.Duration // pause between short polls; default 1 s
	Heartbeat    time.Duration // assumed until a hello says it; default 15 s
	MaxBackoff   time.Duration // longest pause before a reconnect; default 5 s

	Header     http.Header  // sent with every request, as Authorization
	HTTPClient *http.Client // its Timeout is not used; default one of the client's own
	Log        *slog.Logger // default none
}

// check returns what is wrong with the options, all of it.
func (o *Options) check() error {
	var errs []error
	complain := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if o.Transport > ShortPoll {
		complain("option Transport %d is unknown", o.Transport)
	}
	if len(o.Symbols) == 0 {
		complain(`option Symbols must name a symbol, or be "*" for all`)
	}
	for _, s := range o.Symbols {
		if s == "" || strings.ContainsAny(s, ", \t\n") {
			complain("option Symbols: %q is not a symbol", s)
		}
	}
	for _, c := range o.Channels {
		if err := checkChannel(c); err != nil {
			errs = append(errs, err)
		}
	}
	if err := o.wish().check(); err != nil {
		errs = append(errs, err)
	}
	if !slices.Contains([]string{"", "adapt", "drop"}, o.Slow) {
		complain("option Slow %q must be adapt or drop", o.Slow)
	}
	if o.Cursor != "" && o.Start != "" {
		complain("options Cursor and Start exclude each other")
	}
	if o.Limit < 0 || o.Limit > maxLimit {
		complain("option Limit %d must be from 1 to %d, or 0 for that", o.Limit, maxLimit)
	}
	if o.PollWait < 0 || o.PollInterval < 0 || o.Heartbeat < 0 || o.MaxBackoff < 0 {
		complain("options PollWait, PollInterval, Heartbeat and MaxBackoff must not be negative")
	}
	return errors.Join(errs...)
}

func (o *Options) wish() wish {
	return wish{resolution: o.Resolution, rate: o.MaxRate, bytes: o.MaxBytes}
}

func checkChannel(c string) error {
	if i, ok := strings.CutPrefix(c, "bars:"); ok {
		if _, err := charts.ParseInterval(i); err != nil {
			return fmt.Errorf("option Channels: %q: %w", c, err)
		}
		return nil
	}
	if !slices.Contains([]string{"trades", "quotes", "statuses"}, c) {
		return fmt.Errorf("option Channels: %q must be trades, quotes, statuses or bars:<interval>", c)
	}
	return nil
}

// defaults fills in what was left out.
func (o *Options) defaults() {
	o.PollWait = orElse(o.PollWait, defaultPollWait)
	o.PollInterval = orElse(o.PollInterval, defaultPollInterval)
	o.Heartbeat = orElse(o.Heartbeat, defaultHeartbeat)
	o.MaxBackoff = orElse(o.MaxBackoff, defaultMaxBackoff)
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
}

func orElse(d, otherwise time.Duration) time.Duration {
	if d == 0 {
		return otherwise
	}
	return d
}

// bases returns the nodes' URLs, the first one first.
func (o *Options) bases() ([]*url.URL, error) {
	var all []*url.URL
	for _, b := range append([]string{o.Base}, o.Bases...) {
		u, err := url.Parse(b)
		if err != nil {
			return nil, fmt.Errorf("option Base: %w", err)
		}
		if u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
			return nil, fmt.Errorf("option Base %q must be like http://127.0.0.1:8080", b)
		}
		all = append(all, u)
	}
	return all, nil
}

// query returns the parameters of a request that asks for w, without the place to
// begin at. A poll has no bounds, and no use for what is about slow streams.
func (o *Options) query(w wish, poll bool) url.Values {
	q := url.Values{"symbols": {strings.Join(o.Symbols, ",")}}
	set := func(name, value string) {
		if value != "" && value != "0" {
			q.Set(name, value)
		}
	}
	set("channels", strings.Join(o.Channels, ","))
	set("resolution", w.resolution)
	if !poll {
		set("slow", o.Slow)
		set("max_rate", strconv.Itoa(w.rate))
		set("max_bytes", strconv.Itoa(w.bytes))
	}
	return q
}

// places sets where a stream begins that has no cursor yet.
func (o *Options) places(q url.Values) {
	for name, value := range map[string]string{"start": o.Start, "end": o.End, "speed": o.Speed} {
		if value != "" {
			q.Set(name, value)
		}
	}
}
