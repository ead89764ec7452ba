package wire

import (
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/tapecast/tapecast/fanout"
	"github.com/tapecast/tapecast/feed"
)

// Hello is the first message of every stream.
type Hello struct {
	Node       string
	TS         int64 // wall time, ns UTC
	Tape       feed.TapeID
	MaxSymbols int
}

// Append appends the message.
func (h Hello) Append(dst []byte) []byte {
	dst = append(dst, `{"type":"hello","v":1,"node":`...)
	dst = appendText(dst, h.Node)
	dst = timeField(dst, `,"ts":`, h.TS)
	dst = append(dst, `,"tape":"`...)
	dst = append(dst, h.Tape.String()...)
	dst = uintField(dst, `","heartbeat_ms":`, uint64(fanout.HeartbeatEvery/time.Millisecond))
	dst = uintField(dst, `,"max_symbols":`, uint64(h.MaxSymbols))
	return append(dst, '}')
}

// Subscription is the reply to a command that changes what a client gets: the
// whole list as it is now.
type Subscription struct {
	Type       string // subscribed or unsubscribed
	ID         string // of the command; "" when it had none
	Symbols    int    // how many are watched
	Channels   []string
	Resolution string
	Cursor     string
	Tape       feed.TapeID
}

// Append appends the message.
func (s Subscription) Append(dst []byte) []byte {
	dst = append(dst, `{"type":"`...)
	dst = append(dst, s.Type...)
	dst = append(dst, '"')
	dst = appendID(dst, s.ID)
	dst = uintField(dst, `,"symbols":`, uint64(s.Symbols))
	dst = append(dst, `,"channels":[`...)
	for i, c := range s.Channels {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendText(dst, c)
	}
	dst = append(dst, `],"resolution":`...)
	dst = appendText(dst, s.Resolution)
	dst = append(dst, `,"cursor":"`...)
	dst = append(dst, s.Cursor...)
	dst = append(dst, `","tape":"`...)
	dst = append(dst, s.Tape.String()...)
	return append(dst, `"}`...)
}

// Failure is the reply to what can't be done; the connection goes on.
type Failure struct {
	ID      string
	Code    string // unknown_symbol, bad_request, …
	Message string // a sentence for a person
	Symbols []string
}

// Append appends the message.
func (f Failure) Append(dst []byte) []byte {
	dst = append(dst, `{"type":"error"`...)
	dst = appendID(dst, f.ID)
	dst = append(dst, `,"code":`...)
	dst = appendText(dst, f.Code)
	dst = append(dst, `,"message":`...)
	dst = appendText(dst, f.Message)
	if len(f.Symbols) > 0 {
		dst = append(dst, `,"symbols":[`...)
		for i, s := range f.Symbols {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = appendText(dst, s)
		}
		dst = append(dst, ']')
	}
	return append(dst, '}')
}

// Ack is the reply to a command that needs no other: pong or authenticated. The
// cursor of a pong is where a client goes on that changes its transport.
type Ack struct {
	Type   string
	ID     string
	Cursor string // "": none
}

// Append appends the message.
func (a Ack) Append(dst []byte) []byte {
	dst = append(dst, `{"type":"`...)
	dst = append(dst, a.Type...)
	dst = append(dst, '"')
	dst = appendID(dst, a.ID)
	if a.Cursor != "" {
		dst = append(dst, `,"cursor":"`...)
		dst = append(dst, a.Cursor...)
		dst = append(dst, '"')
	}
	return append(dst, '}')
}

// Resolution tells what a group of a client gets from now on, and why.
func (JSON) Resolution(dst []byte, r fanout.Resolution) []byte {
	dst = append(dst, `{"type":"resolution"`...)
	dst = appendID(dst, r.ID)
	dst = appendText(append(dst, `,"trades":`...), r.Trades)
	dst = appendText(append(dst, `,"quotes":`...), r.Quotes)
	dst = appendText(append(dst, `,"reason":`...), r.Reason)
	return append(dst, '}')
}

// Heartbeat appends a heartbeat.
func (JSON) Heartbeat(dst []byte, h fanout.Heartbeat) []byte {
	dst = timeField(append(dst, `{"type":"heartbeat"`...), `,"ts":`, h.Now)
	dst = timeField(dst, `,"at":`, h.At)
	dst = uintField(dst, `,"behind_ms":`, uint64(h.Behind/int64(time.Millisecond)))
	dst = append(dst, `,"cursor":"`...)
	dst = append(dst, h.Cursor...)
	return append(dst, `"}`...)
}

// At appends the cursor that ends an event of several messages.
func (JSON) At(dst []byte, cursor string) []byte {
	dst = append(dst, `{"type":"at","cursor":"`...)
	dst = append(dst, cursor...)
	return append(dst, `"}`...)
}

// Reset appends the message after which tiling starts anew.
func (JSON) Reset(dst []byte, reason string) []byte {
	dst = append(dst, `{"type":"reset","reason":`...)
	return append(appendText(dst, reason), '}')
}

// Bye appends the last message of a stream.
func (JSON) Bye(dst []byte, b fanout.Bye) []byte {
	dst = append(dst, `{"type":"bye","code":`...)
	dst = appendText(dst, b.Code)
	dst = uintField(dst, `,"retry_ms":`, uint64(b.Retry/int64(time.Millisecond)))
	dst = append(dst, `,"cursor":"`...)
	dst = append(dst, b.Cursor...)
	return append(dst, `"}`...)
}

func appendID(dst []byte, id string) []byte {
	if id == "" {
		return dst
	}
	return appendText(append(dst, `,"id":`...), id)
}

// appendText appends s as a JSON string, RFC 8259 section 7. Bytes that are no
// UTF-8 become U+FFFD.
func appendText(dst []byte, s string) []byte {
	dst = append(dst, '"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			dst = append(dst, '\\', byte(r))
		case r < 0x20:
			const digits = "0123456789abcdef"
			dst = append(dst, '\\', 'u', '0', '0', digits[r>>4], digits[r&15])
		default:
			dst = utf8.AppendRune(dst, r)
		}
	}
	return append(dst, '"')
}

// Symbol appends an instrument as /v1/symbols lists it.
func Symbol(dst []byte, in *feed.Instrument) []byte {
	dst = head(dst, `{"sym":"`, in)
	dst = append(dst, `,"name":`...)
	dst = appendText(dst, in.Name)
	dst = append(dst, `,"class":"`...)
	dst = append(dst, in.Class.String()...)
	dst = priceField(append(dst, '"'), `,"tick":`, in.Tick, in)
	dst = feed.AppendSize(append(dst, `,"lot":`...), in.Lot, in.Scale)
	dst = strconv.AppendUint(append(dst, `,"decimals":`...), uint64(in.Decimals), 10)
	dst = strconv.AppendUint(append(dst, `,"scale":`...), uint64(in.Scale), 10)
	return append(dst, '}')
}
