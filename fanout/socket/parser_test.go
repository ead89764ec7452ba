package socket

import (
	"bytes"
	"encoding/binary"
	"errors"
	"strings"
	"testing"
)

// heard collects what a parser tells.
type heard struct {
	texts []string
	pings []string
	stops bool // after each event
}

func (h *heard) text(msg []byte) bool {
	h.texts = append(h.texts, string(msg))
	return !h.stops
}

func (h *heard) ping(payload []byte) bool {
	h.pings = append(h.pings, string(payload))
	return !h.stops
}

// frame returns a masked frame.
func frame(first byte, payload string) []byte {
	b := []byte{first}
	switch n := len(payload); {
	case n < 126:
		b = append(b, 0x80|byte(n))
	case n < 1<<16:
		b = binary.BigEndian.AppendUint16(append(b, 0x80|126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, 0x80|127), uint64(n))
	}
	mask := [4]byte{0x12, 0x34, 0x56, 0x78}
	b = append(b, mask[:]...)
	for i := range len(payload) {
		b = append(b, payload[i]^mask[i%4])
	}
	return b
}

func closeWith(code uint16, reason string) string {
	return string(binary.BigEndian.AppendUint16(nil, code)) + reason
}

// cases are what RFC 6455 says of frames that a server gets.
func cases() map[string]struct {
	in    [][]byte
	texts string // joined by |
	pings string
	code  uint16 // of the violation; 0: none
	close uint16 // of the answer to a close frame
} {
	type c = struct {
		in    [][]byte
		texts string
		pings string
		code  uint16
		close uint16
	}
	f := func(frames ...[]byte) [][]byte { return frames }
	unmasked := []byte{0x81, 0x02, 'h', 'i'}
	huge := append([]byte{0x81, 0xff}, 0x80, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4)
	m := map[string]c{
		"empty text":               {in: f(frame(0x81, "")), texts: ""},
		"text":                     {in: f(frame(0x81, "hi")), texts: "hi"},
		"two texts":                {in: f(frame(0x81, "a"), frame(0x81, "b")), texts: "a|b"},
		"125 bytes":                {in: f(frame(0x81, strings.Repeat("x", 125))), texts: strings.Repeat("x", 125)},
		"126 bytes":                {in: f(frame(0x81, strings.Repeat("x", 126))), texts: strings.Repeat("x", 126)},
		"1000 bytes, the limit":    {in: f(frame(0x81, strings.Repeat("x", 1000))), texts: strings.Repeat("x", 1000)},
		"1001 bytes":               {in: f(frame(0x81, strings.Repeat("x", 1001))), code: codeTooBig},
		"70000 bytes":              {in: f(frame(0x81, strings.Repeat("x", 70000))), code: codeTooBig},
		"length of 2^63":           {in: f(huge), code: codeProtocol},
		"fragments":                {in: f(frame(0x01, "a"), frame(0x00, "b"), frame(0x80, "c")), texts: "abc"},
		"empty fragments":          {in: f(frame(0x01, ""), frame(0x00, ""), frame(0x80, "c")), texts: "c"},
		"fragments over the limit": {in: f(frame(0x01, strings.Repeat("x", 600)), frame(0x80, strings.Repeat("x", 600))), code: codeTooBig},
		"ping between fragments":   {in: f(frame(0x01, "a"), frame(0x89, "p"), frame(0x80, "b")), texts: "ab", pings: "p"},
		"pong between fragments":   {in: f(frame(0x01, "a"), frame(0x8a, "p"), frame(0x80, "b")), texts: "ab"},
		"ping":                     {in: f(frame(0x89, "")), pings: ""},
		"ping of 125":              {in: f(frame(0x89, strings.Repeat("p", 125))), pings: strings.Repeat("p", 125)},
		"ping of 126":              {in: f(frame(0x89, strings.Repeat("p", 126))), code: codeProtocol},
		"pong unasked":             {in: f(frame(0x8a, "x")), texts: ""},
		"pong of 126":              {in: f(frame(0x8a, strings.Repeat("p", 126))), code: codeProtocol},
		"ping in fragments":        {in: f(frame(0x09, "p")), code: codeProtocol},
		"close in fragments":       {in: f(frame(0x08, "")), code: codeProtocol},
		"unmasked":                 {in: f(unmasked), code: codeProtocol},
		"reserved bit 1":           {in: f(frame(0xc1, "x")), code: codeProtocol},
		"reserved bit 2":           {in: f(frame(0xa1, "x")), code: codeProtocol},
		"reserved bit 3":           {in: f(frame(0x91, "x")), code: codeProtocol},
		"binary":                   {in: f(frame(0x82, "x")), code: codeUnsupported},
		"continuation of nothing":  {in: f(frame(0x80, "x")), code: codeProtocol},
		"text within a message":    {in: f(frame(0x01, "a"), frame(0x81, "b")), code: codeProtocol},
		"UTF-8":                    {in: f(frame(0x81, "κόσμε")), texts: "κόσμε"},
		"UTF-8 split in a rune":    {in: f(frame(0x01, "\xce"), frame(0x80, "\xba")), texts: "κ"},
		"no UTF-8":                 {in: f(frame(0x81, "\xff")), code: codeInvalid},
		"a surrogate":              {in: f(frame(0x81, "\xed\xa0\x80")), code: codeInvalid},
		"a rune cut short":         {in: f(frame(0x81, "\xce")), code: codeInvalid},
		"overlong":                 {in: f(frame(0x81, "\xc0\xaf")), code: codeInvalid},
		"close":                    {in: f(frame(0x88, "")), close: codeNormal},
		"close 1000":               {in: f(frame(0x88, closeWith(1000, "bye"))), close: 1000},
		"close 3000":               {in: f(frame(0x88, closeWith(3000, ""))), close: 3000},
		"close 4999":               {in: f(frame(0x88, closeWith(4999, ""))), close: 4999},
		"close half a code":        {in: f(frame(0x88, "\x03")), code: codeProtocol},
		"close reason no UTF-8":    {in: f(frame(0x88, closeWith(1000, "\xff"))), code: codeInvalid},
		"close reason of 123":      {in: f(frame(0x88, closeWith(1000, strings.Repeat("r", 123)))), close: 1000},
		"close reason of 124":      {in: f(frame(0x88, closeWith(1000, strings.Repeat("r", 124)))), code: codeProtocol},
		"close between fragments":  {in: f(frame(0x01, "a"), frame(0x88, closeWith(1000, ""))), close: 1000},
		"fragments to the limit":   {in: f(frame(0x01, strings.Repeat("x", 500)), frame(0x80, strings.Repeat("x", 500))), texts: strings.Repeat("x", 1000)},
		"a long length for 125":    {in: f([]byte{0x81, 0x80 | 126, 0, 125, 1, 2, 3, 4}), code: codeProtocol},
		"a longer one for 65535":   {in: f([]byte{0x81, 0x80 | 127, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 1, 2, 3, 4}), code: codeProtocol},
		"a ping, then text":        {in: f(frame(0x89, "1"), frame(0x89, "2"), frame(0x81, "a")), texts: "a", pings: "1|2"},
		"no UTF-8 over fragments":  {in: f(frame(0x01, "\xce"), frame(0x80, "x")), code: codeInvalid},
		"an HTTP request":          {in: f([]byte("GET / HTTP/1.1\r\n\r\n")), code: codeProtocol},
		"text after close":         {in: f(frame(0x88, closeWith(1001, "")), frame(0x81, "late")), close: 1001},
	}
	for _, op := range []byte{0x83, 0x84, 0x87, 0x8b, 0x8f} {
		m["reserved opcode "+string('0'+rune(op&15))] = c{in: f(frame(op, "")), code: codeProtocol}
	}
	for _, code := range []uint16{0, 999, 1004, 1005, 1006, 1015, 1100, 2000, 2999, 5000, 65535} {
		m["close with "+string(binary.BigEndian.AppendUint16(nil, code))] = c{in: f(frame(0x88, closeWith(code, ""))), code: codeProtocol}
	}
	return m
}

// TestFrames runs each case whole, and byte by byte, also with a parser that
// stops at each event.
func TestFrames(t *testing.T) {
	if n := len(cases()); n < 60 {
		t.Errorf("%d cases, want 60 at least", n)
	}
	for name, c := range cases() {
		for _, step := range []int{1 << 20, 1, 3, -1 << 20, -3} {
			h := heard{stops: step < 0}
			p := parser{limit: 1000, events: &h}
			err := feedIn(&p, bytes.Join(c.in, nil), step)
			var v *violation
			switch {
			case c.code == 0 && err != nil:
				t.Errorf("%q by %d: %v", name, step, err)
			case c.code != 0 && (!errors.As(err, &v) || v.code != c.code):
				t.Errorf("%q by %d: got %v, want %d", name, step, err, c.code)
			}
			if c.code != 0 {
				continue
			}
			if got := strings.Join(h.texts, "|"); got != c.texts {
				t.Errorf("%q by %d: texts %q, want %q", name, step, got, c.texts)
			}
			if got := strings.Join(h.pings, "|"); got != c.pings {
				t.Errorf("%q by %d: pings %q, want %q", name, step, got, c.pings)
			}
			if p.done != (c.close != 0) || p.closeCode != c.close {
				t.Errorf("%q by %d: done %v, answers %d, want %d", name, step, p.done, p.closeCode, c.close)
			}
		}
	}
}

// feedIn gives a parser bytes in pieces; below 0, to one that stops at each
// event.
func feedIn(p *parser, b []byte, step int) error {
	step = max(step, -step)
	for len(b) > 0 && !p.done {
		n := min(step, len(b))
		rest, err := p.feed(b[:n:n])
		if err != nil {
			return err
		}
		b = b[n-len(rest):]
	}
	return nil
}

func FuzzParser(f *testing.F) {
	for _, c := range cases() {
		f.Add(bytes.Join(c.in, nil))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		whole, bytewise := heard{stops: true}, heard{}
		p, q := parser{limit: 1000, events: &whole}, parser{limit: 1000, events: &bytewise}
		errP, errQ := feedIn(&p, bytes.Clone(b), len(b)+1), feedIn(&q, bytes.Clone(b), 1)
		if (errP == nil) != (errQ == nil) || strings.Join(whole.texts, "|") != strings.Join(bytewise.texts, "|") {
			t.Errorf("in one piece: %v %q, byte by byte: %v %q", errP, whole.texts, errQ, bytewise.texts)
		}
		for _, text := range whole.texts {
			if len(text) > 1000 {
				t.Errorf("a message of %d bytes got through", len(text))
			}
		}
	})
}
