package feed

// Kind says what a record of the tape is. Its numbers are part of the codec.
type Kind uint8

// The kinds of records. The first five are ticks, numbered per symbol and
// channel; the others belong to a lane.
const (
	KindTrade      Kind = 1
	KindQuote      Kind = 2
	KindStatus     Kind = 3
	KindCorrection Kind = 4
	KindCancel     Kind = 5
	KindClock      Kind = 8
	KindKeyframe   Kind = 9
	KindSession    Kind = 10
)

// Channel is one of the numberings of a symbol: each has seqs 1, 2, 3, … of its
// own, given by the feed.
type Channel uint8

// The numbered channels. Statuses, corrections and cancels share one.
const (
	Trades Channel = iota
	Quotes
	Statuses
	Channels // how many there are
)

// String returns the channel's name in the wire protocol.
func (c Channel) String() string {
	switch c {
	case Trades:
		return "trades"
	case Quotes:
		return "quotes"
	default:
		return "statuses"
	}
}

// Channel returns the numbering that a tick of this kind belongs to.
func (k Kind) Channel() Channel {
	switch k {
	case KindTrade:
		return Trades
	case KindQuote:
		return Quotes
	default:
		return Statuses
	}
}

// Side is the aggressor's side of a trade.
type Side uint8

// The sides. Unknown is legal: not every source tells.
const (
	Unknown Side = 0
	Buy     Side = 1
	Sell    Side = 2
)

// State is the trading state that a status announces.
type State uint8

// The trading states.
const (
	Trading State = 1
	Halted  State = 2
)

// String returns the state's name in the wire protocol.
func (s State) String() string {
	if s == Halted {
		return "halted"
	}
	return "trading"
}

// Tick is one market event of a symbol. The symbol is the record's key and not
// repeated here.
type Tick struct {
	Kind Kind
	Side Side   // of a trade
	Seq  uint64 // within symbol and channel, from 1, contiguous
	TS   int64  // tape time, ns UTC, never decreasing within a lane
	XTS  int64  // exchange time of a late print, ns UTC; 0: the same as TS

	Price Price // of a trade; the bid of a quote
	Size  Size  // of a trade; at the bid of a quote
	Ask   Price // of a quote
	// AskSize is what is offered at the ask of a quote.
	AskSize Size

	Note *Note // of a status, correction or cancel; nil otherwise
}

// Note is what a status, correction or cancel says. It is never changed once it
// is part of a tick.
type Note struct {
	State  State  // of a status
	Reason string // of a status, at most 255 bytes
	Ref    uint64 // the seq of the trade that is corrected or cancelled

	OldPrice, NewPrice Price // New…: of a correction
	OldSize, NewSize   Size
}
