package socket

import (
	"encoding/binary"
	"unicode/utf8"
)

// closeStatus reads a close frame's payload and returns the status code to
// answer with: the same, or that of a normal end if there was none.
func closeStatus(payload []byte) (uint16, error) {
	switch len(payload) {
	case 0:
		return codeNormal, nil
	case 1:
		return 0, protocol("a close frame has half a status code")
	}
	code := binary.BigEndian.Uint16(payload)
	if !validClose(code) {
		return 0, protocol("a close frame has a status code that must not be sent")
	}
	if !utf8.Valid(payload[2:]) {
		return 0, &violation{code: codeInvalid, reason: "a close frame's reason is not UTF-8"}
	}
	return code, nil
}

// validClose reports whether a status code may be in a close frame: those that
// RFC 6455 and its registry define for it, those of libraries and applications.
func validClose(code uint16) bool {
	switch {
	case code >= 1000 && code <= 1003, code >= 1007 && code <= 1014:
		return true
	default:
		return code >= 3000 && code <= 4999
	}
}

// appendPong appends the answer to a ping.
func appendPong(dst, payload []byte) []byte {
	dst = append(dst, 0x80|opPong, byte(len(payload)))
	return append(dst, payload...)
}
