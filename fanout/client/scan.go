package client

import (
	"encoding/json"
	"fmt"
)

// maxDepth bounds the nesting of a value, so that hostile input cannot exhaust
// the stack. Messages nest three deep.
const maxDepth = 32

// scanner walks JSON text without copying it. It is as strict as
// encoding/json: what that refuses as a syntax error, it refuses too. After the
// first error it stays at bad and yields nothing more.
type scanner struct {
	b   []byte
	i   int
	bad bool
}

// err says where the text ceased to be JSON, or nil.
func (s *scanner) err() error {
	if !s.bad {
		return nil
	}
	return fmt.Errorf("not JSON at byte %d of %d", s.i, len(s.b))
}

// end reports whether the text is used up but for white space.
func (s *scanner) end() bool {
	s.space()
	if s.i < len(s.b) {
		s.bad = true
	}
	return !s.bad
}

func (s *scanner) space() {
	for s.i < len(s.b) {
		switch s.b[s.i] {
		case ' ', '\t', '\n', '\r':
			s.i++
		default:
			return
		}
	}
}

// open takes an opening bracket.
func (s *scanner) open(c byte) bool {
	s.space()
	return s.take(c)
}

func (s *scanner) take(c byte) bool {
	if s.bad || s.i >= len(s.b) || s.b[s.i] != c {
		s.bad = true
		return false
	}
	s.i++
	return true
}

// more reports whether another element follows before the closing bracket, and
// takes the comma or the bracket. n is how many elements were there before.
func (s *scanner) more(closing byte, n int) bool {
	s.space()
	if s.bad || s.i >= len(s.b) {
		s.bad = true
		return false
	}
	if s.b[s.i] == closing {
		s.i++
		return false
	}
	if n == 0 {
		return true
	}
	if s.take(',') {
		s.space()
	}
	return !s.bad
}

// key takes a key and its colon and returns the key without its quotes.
func (s *scanner) key() []byte {
	span := s.str()
	s.space()
	if !s.take(':') {
		return nil
	}
	for _, c := range span {
		if c == '\\' {
			t, _ := text(span)
			return []byte(t)
		}
	}
	return span[1 : len(span)-1]
}

// value takes one value of any kind and returns its text.
func (s *scanner) value(depth int) []byte {
	s.space()
	if s.bad || s.i >= len(s.b) || depth > maxDepth {
		s.bad = true
		return nil
	}
	start := s.i
	switch c := s.b[s.i]; c {
	case '"':
		return s.str()
	case '{':
		s.i++
		for n := 0; s.more('}', n); n++ {
			s.key()
			s.value(depth + 1)
		}
	case '[':
		s.i++
		for n := 0; s.more(']', n); n++ {
			s.value(depth + 1)
		}
	case 't':
		s.word("true")
	case 'f':
		s.word("false")
	case 'n':
		s.word("null")
	default:
		s.number()
	}
	if s.bad {
		return nil
	}
	return s.b[start:s.i]
}

func (s *scanner) word(w string) {
	for i := range len(w) {
		if !s.take(w[i]) {
			return
		}
	}
}

// str takes a string and returns it with its quotes, or nil.
func (s *scanner) str() []byte {
	start := s.i
	if !s.take('"') {
		return nil
	}
	for s.i < len(s.b) {
		switch c := s.b[s.i]; {
		case c == '"':
			s.i++
			return s.b[start:s.i]
		case c == '\\':
			s.i++
			s.escape()
			if s.bad {
				return nil
			}
		case c < ' ':
			s.bad = true
			return nil
		default:
			s.i++
		}
	}
	s.bad = true
	return nil
}

func (s *scanner) escape() {
	if s.i >= len(s.b) {
		s.bad = true
		return
	}
	c := s.b[s.i]
	s.i++
	switch c {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
	case 'u':
		for range 4 {
			if s.i >= len(s.b) || !isHex(s.b[s.i]) {
				s.bad = true
				return
			}
			s.i++
		}
	default:
		s.bad = true
	}
}

func isHex(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}

// number takes a number: -?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?
func (s *scanner) number() {
	if s.at('-') {
		s.i++
	}
	if s.at('0') {
		s.i++
	} else {
		s.digits()
	}
	if s.at('.') {
		s.i++
		s.digits()
	}
	if s.at('e') || s.at('E') {
		s.i++
		if s.at('+') || s.at('-') {
			s.i++
		}
		s.digits()
	}
}

func (s *scanner) at(c byte) bool { return s.i < len(s.b) && s.b[s.i] == c }

// digits takes one digit or more.
func (s *scanner) digits() {
	start := s.i
	for s.i < len(s.b) && s.b[s.i] >= '0' && s.b[s.i] <= '9' {
		s.i++
	}
	if s.i == start {
		s.bad = true
	}
}

// elements appends the texts of an array's elements to dst. They are parts of b.
func elements(dst [][]byte, b []byte) ([][]byte, error) {
	s := scanner{b: b}
	if s.open('[') {
		for n := 0; s.more(']', n); n++ {
			dst = append(dst, s.value(1))
		}
		s.end()
	}
	return dst, s.err()
}

// text returns what a JSON string says.
func text(span []byte) (string, error) {
	if len(span) < 2 || span[0] != '"' {
		return "", fmt.Errorf("%.40q is not a string", span)
	}
	for _, c := range span {
		if c == '\\' {
			var t string
			err := json.Unmarshal(span, &t)
			return t, err
		}
	}
	return string(span[1 : len(span)-1]), nil
}
