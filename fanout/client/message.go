package client

import (
	"bytes"
	"time"

	"github.com/tapecast/tapecast/charts"
	"github.com/tapecast/tapecast/feed"
)

// Type says what a message is. A type that this client does not know is legal:
// such a message is ignored.
type Type string

// The types of messages, in the words of the protocol.
const (
	TypeHello        Type = "hello"
	TypeTrade        Type = "trade"
	TypeQuote        Type = "quote"
	TypeAgg          Type = "agg"
	TypeBar          Type = "bar"
	TypeStatus       Type = "status"
	TypeCancel       Type = "cancel"
	TypeCorrection   Type = "correction"
	TypeSnapshot     Type = "snapshot"
	TypeSubscribed   Type = "subscribed"
	TypeUnsubscribed Type = "unsubscribed"
	TypeResolution   Type = "resolution"
	TypeGap          Type = "gap"
	TypeReset        Type = "reset"
	TypeHeartbeat    Type = "heartbeat"
	TypeError        Type = "error"
	TypeBye          Type = "bye"
	TypeAt           Type = "at"
	TypePong         Type = "pong"
)

// known reports whether this client knows the type.
func (t Type) known() bool {
	switch t {
	case TypeHello, TypeTrade, TypeQuote, TypeAgg, TypeBar, TypeStatus, TypeCancel, TypeCorrection, TypeSnapshot,
		TypeSubscribed, TypeUnsubscribed, TypeResolution, TypeGap, TypeReset, TypeHeartbeat, TypeError, TypeBye, TypeAt, TypePong:
		return true
	default:
		return false
	}
}

// Message is one message of the protocol, of any type: the fields that its type
// has are set, the others are zero. Prices are at Instrument.Decimals, sizes at
// Instrument.Scale, both exact.
//
// A message that a handler gets belongs to the client and is overwritten by the
// next one: a handler that keeps it keeps a Clone.
type Message struct {
	Type Type
	Raw  []byte // its JSON text

	Symbol     string
	Instrument *feed.Instrument // what Symbol is; nil without a symbol
	// Channel is the numbering that First and Seq belong to, if Ranged.
	Channel feed.Channel
	// First and Seq are the range that a trade, quote, agg, bar, status, cancel,
	// correction or gap covers, both included. First is 0 in a gap that begins
	// right after what the client has.
	First, Seq uint64
	TS         int64 // µs UTC: tape time; a bar's start; the wall time of a hello or heartbeat

	Price feed.Price // of a trade
	Size  feed.Size  // of a trade
	Side  feed.Side  // of a trade

	Bid, Ask         feed.Price // of a quote
	BidSize, AskSize feed.Size  // of a quote

	// Bar is what a trade, agg or bar says of its range. Its times, ns UTC, are
	// those of the first and the last trade; a bar message does not carry them.
	Bar      charts.Bar
	Interval charts.Interval // of a bar
	Final    bool            // of a bar: its interval is over
	Rev      uint32          // of a bar: how often it was corrected

	State  string // of a status: halted or trading
	Reason string // of a status, resolution, gap or reset
	Ref    uint64 // the trade that a cancel or correction speaks of
	Old    Print  // what that trade was
	New    Print  // what a correction makes of it

	// Trade, Quote, Status and Day are the parts of a snapshot, nil where there
	// was none yet. Day is the bar of the UTC day so far.
	Trade, Quote, Status, Day *Message

	Control
}

// Print is a price and a size.
type Print struct {
	Price feed.Price
	Size  feed.Size
}

// Control is what the messages say that are about the stream itself.
type Control struct {
	ID     string // of the command that a message replies to
	Tape   string // of a hello, subscribed or snapshot: the tape's id
	Cursor string // where to resume after this message

	Version    int           // of a hello: of the protocol
	Node       string        // of a hello: who serves
	Heartbeat  time.Duration // of a hello: how often to expect one
	MaxSymbols int           // of a hello: how many symbols one client may have

	Count              int           // of a subscribed or unsubscribed: how many symbols there are now
	Symbols            []string      // of an error: those that it is about; of a subscribed, if listed
	Channels           []string      // of a subscribed or unsubscribed
	Resolution         string        // of a subscribed: what was asked for
	TradesAt, QuotesAt string        // of a resolution: the levels now
	At                 int64         // of a heartbeat: tape time, µs UTC
	Behind             time.Duration // of a heartbeat: how far this client is behind
	Code, Text         string        // of an error or bye: for programs, for people
	Retry              time.Duration // of a bye: wait at least as long
}

// Time returns TS.
func (m *Message) Time() time.Time { return time.UnixMicro(m.TS).UTC() }

// Ranged reports whether First and Seq are a range of Channel that a client's
// stream is tiled by: bars, which repeat ranges, are not.
func (m *Message) Ranged() bool {
	switch m.Type {
	case TypeTrade, TypeQuote, TypeAgg, TypeStatus, TypeCancel, TypeCorrection, TypeGap:
		return true
	default:
		return false
	}
}

// Clone returns a copy that shares nothing that is going to change.
func (m *Message) Clone() *Message {
	c := *m
	c.Raw = bytes.Clone(m.Raw)
	for _, part := range []**Message{&c.Trade, &c.Quote, &c.Status, &c.Day} {
		if *part != nil {
			*part = (*part).Clone()
		}
	}
	return &c
}
