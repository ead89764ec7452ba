package socket

import (
	"encoding/binary"
	"unicode/utf8"
)

// events is who a parser tells what has come. Its methods return whether the
// parser may go on.
type events interface {
	// text takes a whole text message, which is only lent.
	text(msg []byte) (more bool)
	// ping takes a ping's payload, which is only lent.
	ping(payload []byte) (more bool)
}

// parser reads the frames that a client sends (RFC 6455 section 5), in pieces of
// any size. It holds no more than the message under way.
type parser struct {
	limit  int // of a message, bytes
	events events

	// done says that a close frame has come; what follows is not looked at.
	// closeCode is then its status code to answer with.
	done      bool
	closeCode uint16
	paused    bool // an event said that no more is wanted for now

	head     [maxHeader]byte
	have     int   // bytes of head that have come
	left     int64 // bytes of the payload that are to come
	inside   bool  // in a payload
	masked   int   // bytes of the payload that have come
	op       byte  // of the frame
	fin      bool
	message  []byte // the text message under way
	begun    bool   // a text message has begun and its last frame has not come
	controls []byte // the payload of the control frame under way
}

// violation is what a client did against the protocol, and the status code to
// close with (RFC 6455 section 7.4).
type violation struct {
	code   uint16
	reason string
}

// Error implements error.
func (v *violation) Error() string { return "WebSocket: " + v.reason }

// Opcodes, RFC 6455 section 5.2.
const (
	opContinue = 0x0
	opText     = 0x1
	opBinary   = 0x2
	opClose    = 0x8
	opPing     = 0x9
	opPong     = 0xA
)

// Status codes that the parser closes with, RFC 6455 section 7.4.1.
const (
	codeNormal      = 1000
	codeProtocol    = 1002
	codeUnsupported = 1003
	codeInvalid     = 1007
	codeTooBig      = 1009
)

const (
	maxHeader  = 14  // 2, 8 of the length, 4 of the mask
	maxControl = 125 // bytes of a control frame's payload
	keepRoom   = 4 << 10
)

func protocol(reason string) error { return &violation{code: codeProtocol, reason: reason} }

// feed takes the next bytes and returns those that it has not looked at: there
// are some only if an event wanted no more, or a close frame has come. After an
// error or when done it must not be called again.
func (p *parser) feed(b []byte) (rest []byte, err error) {
	for p.paused = false; len(b) > 0 && !p.done && !p.paused; {
		if p.inside {
			b = p.payload(b)
		} else if b, err = p.header(b); err != nil {
			return nil, err
		}
		if p.inside && p.left == 0 {
			p.inside, p.have = false, 0
			if err := p.frame(); err != nil {
				return nil, err
			}
		}
	}
	return b, nil
}

// idle reports whether nothing is under way, so that any connection may go on
// with the parser.
func (p *parser) idle() bool { return p.have == 0 && !p.inside && !p.begun }

// header takes bytes of a frame's header and returns the others.
func (p *parser) header(b []byte) ([]byte, error) {
	for {
		n := copy(p.head[p.have:p.needs()], b)
		p.have += n
		b = b[n:]
		if p.have == 2 && n > 0 {
			if err := p.check(); err != nil {
				return nil, err
			}
		}
		if p.have == p.needs() {
			return b, p.length()
		}
		if len(b) == 0 {
			return nil, nil
		}
	}
}

// needs returns how long the header is, as far as that is known.
func (p *parser) needs() int {
	if p.have < 2 {
		return 2
	}
	switch p.head[1] & 0x7f {
	case 126:
		return 2 + 2 + 4
	case 127:
		return 2 + 8 + 4
	default:
		return 2 + 4
	}
}

// check looks at a header's first two bytes.
func (p *parser) check() error {
	p.op, p.fin = p.head[0]&0x0f, p.head[0]&0x80 != 0
	short := p.head[1] & 0x7f
	switch {
	case p.head[0]&0x70 != 0:
		return protocol("a reserved bit is set, and no extension was agreed upon")
	case p.head[1]&0x80 == 0:
		return protocol("a client's frame must be masked")
	}
	switch p.op {
	case opText:
		if p.begun {
			return protocol("a new message begins before the last frame of the one before")
		}
	case opContinue:
		if !p.begun {
			return protocol("a continuation without a message")
		}
	case opBinary:
		return &violation{code: codeUnsupported, reason: "messages must be text"}
	case opClose, opPing, opPong:
		if !p.fin {
			return protocol("a control frame must not be fragmented")
		}
		if short > maxControl {
			return protocol("a control frame is longer than 125 bytes")
		}
	default:
		return protocol("unknown opcode")
	}
	return nil
}

// length reads the payload's length and begins it.
func (p *parser) length() error {
	n := uint64(p.head[1] & 0x7f)
	switch n {
	case 126:
		if n = uint64(binary.BigEndian.Uint16(p.head[2:])); n < 126 {
			return protocol("a length is not in its shortest form")
		}
	case 127:
		if n = binary.BigEndian.Uint64(p.head[2:]); n < 1<<16 || n >= 1<<63 {
			return protocol("a length is not in its shortest form")
		}
	}
	if p.op < opClose && n > uint64(p.limit-len(p.message)) {
		return &violation{code: codeTooBig, reason: "a message is too long"}
	}
	p.inside, p.left, p.masked = true, int64(n), 0
	return nil
}

// payload takes bytes of a frame's payload and returns the others.
func (p *parser) payload(b []byte) []byte {
	n := int(min(int64(len(b)), p.left))
	into := &p.message
	if p.op >= opClose {
		into = &p.controls
	}
	mask := p.head[p.needs()-4 : p.needs()]
	at := len(*into)
	*into = append(*into, b[:n]...)
	for i, c := range (*into)[at:] {
		(*into)[at+i] = c ^ mask[(p.masked+i)&3]
	}
	p.masked += n
	p.left -= int64(n)
	return b[n:]
}

// frame takes a frame whose payload is complete.
func (p *parser) frame() error {
	if p.op >= opClose {
		payload := p.controls
		p.controls = p.controls[:0]
		return p.control(payload)
	}
	p.begun = !p.fin
	if p.begun {
		return nil
	}
	if !utf8.Valid(p.message) {
		return &violation{code: codeInvalid, reason: "a text message is not UTF-8"}
	}
	p.paused = !p.events.text(p.message)
	if p.message = p.message[:0]; cap(p.message) > keepRoom {
		p.message = nil
	}
	return nil
}

func (p *parser) control(payload []byte) error {
	switch p.op {
	case opPing:
		p.paused = !p.events.ping(payload)
	case opClose:
		code, err := closeStatus(payload)
		if err != nil {
			return err
		}
		p.done, p.closeCode = true, code
	}
	return nil
}
