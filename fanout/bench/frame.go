package bench

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// The opcodes of WebSocket frames.
const (
	opText  = 1
	opClose = 8
	opPing  = 9
)

// maxFrame bounds what a server may announce as the size of one frame, so that a
// broken length is found at once.
const maxFrame = 1 << 30

var errMasked = errors.New("the server masks its frames, or what it sends are no WebSocket frames")

// frame is the head of a frame that a server sent.
type frame struct {
	op   byte // 0: goes on with the message before
	size uint64
}

// control reports whether it is a frame that stands between those of messages.
func (f frame) control() bool { return f.op >= opClose }

// readFrame reads the head of a frame and returns how long that is; 0: b is too
// short to tell.
func readFrame(b []byte) (f frame, n int, err error) {
	if len(b) < 2 {
		return f, 0, nil
	}
	if b[1]&0x80 != 0 {
		return f, 0, errMasked
	}
	f.op, f.size, n = b[0]&0x0f, uint64(b[1]), 2
	switch f.size {
	case 126:
		if n = 4; len(b) < n {
			return f, 0, nil
		}
		f.size = uint64(binary.BigEndian.Uint16(b[2:]))
	case 127:
		if n = 10; len(b) < n {
			return f, 0, nil
		}
		f.size = binary.BigEndian.Uint64(b[2:])
	}
	if f.size > maxFrame || f.control() && f.size > 125 {
		return f, 0, fmt.Errorf("the server announces a frame of %d bytes, opcode %d", f.size, f.op)
	}
	return f, n, nil
}

// appendFrame appends a whole frame as a client sends it: masked, with a mask of
// zeros, which costs the server the same.
func appendFrame(dst []byte, op byte, payload []byte) []byte {
	dst = append(dst, 0x80|op)
	switch n := len(payload); {
	case n < 126:
		dst = append(dst, 0x80|byte(n))
	case n < 1<<16:
		dst = binary.BigEndian.AppendUint16(append(dst, 0x80|126), uint16(n))
	default:
		dst = binary.BigEndian.AppendUint64(append(dst, 0x80|127), uint64(n))
	}
	return append(append(dst, 0, 0, 0, 0), payload...)
}
