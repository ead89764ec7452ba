package bench

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/tapecast/tapecast/fanout/client"
)

// All is the Options.Each of clients that watch every symbol.
const All = -1

// Options says what to load, with what, and for how long.
type Options struct {
	// URL is the base of a Tapecast node, as http://127.0.0.1:8080, and Transport
	// what to read it by: ws, sse, poll or short-poll.
	URL       string
	Transport string

	// PeerURL is another server, instead of URL: ws:// for WebSocket, http:// for
	// an event stream, tcp:// for WebSocket frames on a bare connection.
	// PeerSubscribe is sent after the handshake, a text frame each, a frame per
	// symbol if it has {sym} in it; {syms} are all symbols of the client with
	// commas between, {n} counts the frames. PeerField is the field of the other
	// server's JSON that holds the time at which a tick was sent, in s, ms, µs or
	// ns since 1970; "": its messages are those of the native protocol.
	PeerURL       string
	PeerSubscribe []string
	PeerField     string

	// Symbols are what there is to watch; of a node it is all by default. Each
	// client watches Each of them (1 by default, or All), the next ones than the
	// client before.
	Symbols    []string
	Each       int
	Channels   []string // trades and quotes by default
	Resolution string   // raw by default

	// Clients is how many there are in all. Slow of them read SlowRate bytes/s,
	// Stalled ones read nothing, and Reconnecting ones cut their connection every
	// ReconnectEvery and resume.
	Clients        int
	Slow           int
	SlowRate       int
	Stalled        int
	Reconnecting   int
	ReconnectEvery time.Duration
	// PollEvery is how long a short poll waits before the next.
	PollEvery time.Duration

	// Warmup passes after all clients are there, before Duration is measured.
	Warmup   time.Duration
	Duration time.Duration
	// Checked is how many clients get the full check with sums, of a node only: so
	// many of the steady, of the slow and of the reconnecting ones.
	Checked int
	// Verify holds what a client got that had the full check against the truth, in
	// the end; nil: only the ranges and their own sums are checked.
	Verify func(t *client.Tiling) error
	// Expect is how many ticks per second ought to be delivered to the steady
	// clients; 0: what the furthest client got is the measure.
	Expect float64

	// PID is the server's process, on this machine; Admin is where its /metrics
	// are instead. With neither the server's CPU and memory are not reported.
	PID   int
	Admin string

	// Progress is called about once a second by the loop; nil: never.
	Progress func(Progress)
}

// Progress is where a run stands.
type Progress struct {
	Phase   string // connecting, warming up or measuring
	Ready   int    // clients that are connected and subscribed
	Clients int
	Left    time.Duration // of the phase; 0 while connecting
	Rate    float64       // ticks delivered per second, since the last call
	Lost    int           // connections that ended by themselves
}

// defaults fills in what was not said and names all that is wrong.
func (o *Options) defaults() error {
	if o.Transport == "" {
		o.Transport = "ws"
	}
	if o.Each == 0 {
		o.Each = 1
	}
	if len(o.Channels) == 0 {
		o.Channels = []string{"trades", "quotes"}
	}
	if o.Resolution == "" {
		o.Resolution = "raw"
	}
	if o.PollEvery <= 0 {
		o.PollEvery = time.Second
	}
	if o.PeerURL != "" {
		o.Checked = 0
	}
	return errors.Join(o.checkTarget(), o.checkClients(), o.checkTimes())
}

func (o *Options) checkTarget() error {
	switch {
	case (o.URL == "") == (o.PeerURL == ""):
		return errors.New("one server can be measured at a time: give either the URL of a node or that of a peer")
	case o.PeerURL == "" && (len(o.PeerSubscribe) > 0 || o.PeerField != ""):
		return errors.New("what a peer is sent, and its field of time, are for a peer's URL alone")
	case o.PeerURL != "" && len(o.Symbols) == 0:
		return errors.New("a peer can't be asked for its symbols: name them")
	case o.PID != 0 && o.Admin != "":
		return errors.New("give either the server's process id or its admin address")
	}
	return nil
}

func (o *Options) checkClients() error {
	special := o.Slow + o.Stalled + o.Reconnecting
	switch {
	case o.Clients < 1:
		return fmt.Errorf("%d clients are none", o.Clients)
	case o.Slow < 0 || o.Stalled < 0 || o.Reconnecting < 0:
		return errors.New("a number of clients can't be negative")
	case special > o.Clients:
		return fmt.Errorf("%d slow, stalled and reconnecting clients are more than the %d there are in all", special, o.Clients)
	case o.Slow > 0 && o.SlowRate < 1:
		return fmt.Errorf("slow clients that read %d bytes/s are stalled ones", o.SlowRate)
	case o.Reconnecting > 0 && o.ReconnectEvery < 10*time.Millisecond:
		return fmt.Errorf("clients can reconnect every 10ms at most, not every %v", o.ReconnectEvery)
	case o.Reconnecting > 0 && o.PeerURL != "":
		return errors.New("reconnecting clients resume by the native protocol: they are for a node alone")
	case o.Each < 1 && o.Each != All:
		return fmt.Errorf("a client can't watch %d symbols", o.Each)
	case o.Checked < 0:
		return fmt.Errorf("%d clients can't be checked", o.Checked)
	}
	return nil
}

func (o *Options) checkTimes() error {
	if o.Duration <= 0 || o.Warmup < 0 {
		return fmt.Errorf("a warm-up of %v and a measurement of %v: the first must not be negative, the second must be longer than nothing", o.Warmup, o.Duration)
	}
	if o.Expect < 0 {
		return fmt.Errorf("%v ticks/s can't be expected", o.Expect)
	}
	return nil
}

// watched returns the symbols of a client: a window of the list that moves on by
// one symbol a client.
func watched(symbols []string, client, each int) []string {
	if each == All || each >= len(symbols) {
		return symbols
	}
	start := client % len(symbols)
	if end := start + each; end > len(symbols) {
		return append(append([]string(nil), symbols[start:]...), symbols[:end-len(symbols)]...)
	}
	return symbols[start : start+each]
}

// expand fills in a template of PeerSubscribe, and counts on from n.
func expand(template string, symbols []string, n int) []string {
	fill := func(sym string) string {
		n++
		return strings.NewReplacer("{sym}", sym, "{syms}", strings.Join(symbols, ","), "{n}", fmt.Sprint(n)).Replace(template)
	}
	if !strings.Contains(template, "{sym}") {
		return []string{fill("")}
	}
	frames := make([]string, 0, len(symbols))
	for _, sym := range symbols {
		frames = append(frames, fill(sym))
	}
	return frames
}
