package fanout

import "encoding/binary"

// Form is how a transport wraps messages. Each form reads streams of its own
// framing, so that delivery is copying bytes.
type Form uint8

// The forms.
const (
	// Frames: WebSocket, one text frame a message.
	Frames Form = iota
	// Event: SSE of a single stream, one event a message, each with its id.
	Event
	// Events: SSE of several streams, one event a flush: an array of messages,
	// the last of which is the cursor.
	Events
	// Answer: a poll's answer: {"messages":[…],"next":"cursor"}, then the end.
	Answer
)

// framing is the part of a form that is in a stream's bytes.
type framing uint8

const (
	framed  framing = iota // a WebSocket frame header before each message
	evented                // "data: " … "id: " … around each message
	listed                 // a comma before each message
	framings
)

func (f Form) framing() framing {
	switch f {
	case Frames:
		return framed
	case Event:
		return evented
	default:
		return listed
	}
}

// appendFramed appends one message in the given framing. cursor is called for
// events only.
func appendFramed(dst []byte, f framing, msg []byte, cursor func(dst []byte) []byte) []byte {
	switch f {
	case framed:
		dst = appendFrameHeader(dst, opText, len(msg))
		return append(dst, msg...)
	case evented:
		dst = append(dst, "data: "...)
		dst = append(dst, msg...)
		dst = append(dst, "\nid: "...)
		dst = cursor(dst)
		return append(dst, "\n\n"...)
	default:
		return append(append(dst, ','), msg...)
	}
}

// Opcodes of WebSocket frames, RFC 6455 section 5.2, with the final bit.
const (
	opText  = 0x81
	opClose = 0x88
)

// appendFrameHeader appends the header of an unmasked frame, as a server sends
// it (RFC 6455 section 5.2).
func appendFrameHeader(dst []byte, op byte, n int) []byte {
	switch {
	case n < 126:
		return append(dst, op, byte(n))
	case n < 1<<16:
		return binary.BigEndian.AppendUint16(append(dst, op, 126), uint16(n))
	default:
		return binary.BigEndian.AppendUint64(append(dst, op, 127), uint64(n))
	}
}

// appendClose appends a WebSocket close frame, empty if code is 0; the reason is
// cut to what a control frame can hold (RFC 6455 section 5.5).
func appendClose(dst []byte, code uint16, reason string) []byte {
	if code == 0 {
		return appendFrameHeader(dst, opClose, 0)
	}
	const most = 125 - 2
	if len(reason) > most {
		reason = reason[:most]
	}
	dst = appendFrameHeader(dst, opClose, 2+len(reason))
	dst = binary.BigEndian.AppendUint16(dst, code)
	return append(dst, reason...)
}
