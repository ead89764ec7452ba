package fanout

import (
	"github.com/tapecast/tapecast/charts"
	"github.com/tapecast/tapecast/feed"
)

// Encoder writes the messages of one protocol. Each method appends one whole
// message, without framing, to dst and returns it; it must not keep dst or what
// it is given. It is called by several goroutines at once, so it has no state.
type Encoder interface {
	Trade(dst []byte, in *feed.Instrument, t *feed.Tick) []byte
	// Quote writes quotes first to t.Seq as their last one; first is t.Seq when
	// nothing was merged.
	Quote(dst []byte, in *feed.Instrument, t *feed.Tick, first uint64) []byte
	// Note writes a status, correction or cancel.
	Note(dst []byte, in *feed.Instrument, t *feed.Tick) []byte
	Agg(dst []byte, in *feed.Instrument, b *charts.Bar) []byte
	Bar(dst []byte, in *feed.Instrument, w *charts.Window, final bool) []byte
	Gap(dst []byte, in *feed.Instrument, g Gap) []byte
	Snapshot(dst []byte, s *State) []byte

	Heartbeat(dst []byte, h Heartbeat) []byte
	At(dst []byte, cursor string) []byte
	Resolution(dst []byte, r Resolution) []byte
	Bye(dst []byte, b Bye) []byte
}

// Gap is a range of seqs that can't be had.
type Gap struct {
	Channel feed.Channel
	// First is 0 when the node can't know where the client was: the gap then
	// begins right after the last seq that the client has.
	First  uint64
	Seq    uint64
	Reason GapReason
}

// GapReason says why a range can't be had.
type GapReason uint8

// The reasons of gaps.
const (
	Source    GapReason = iota // never seen on the tape
	Retention                  // older than what is kept
	Poison                     // the record could not be decoded
)

// String returns the reason's name in the wire protocol.
func (r GapReason) String() string {
	switch r {
	case Retention:
		return "retention"
	case Poison:
		return "poison"
	default:
		return "source"
	}
}

// Heartbeat is what a client learns every 15 s, traffic or not.
type Heartbeat struct {
	Now    int64  // wall time, ns UTC
	At     int64  // tape time, ns UTC
	Behind int64  // how far the tape's time is behind the wall's, ns, 0 at least
	Cursor string // "" when the client is not at a cut
}

// Resolution tells at which levels a group of a client is served from now on.
type Resolution struct {
	ID             string // the group's
	Trades, Quotes string // levels, as raw or 250ms
	Reason         string // slow, recovered or asked
}

// Bye is the last message of a stream.
type Bye struct {
	Code   string // draining, slow, expired, end, …; "": no message, only the end
	Retry  int64  // when to come back, ns from now
	Cursor string // where to go on from
	// Close is the WebSocket close code that follows the message; 0: none.
	Close uint16
}
