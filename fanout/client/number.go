package client

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
	"math/bits"
	"strconv"

	"github.com/tapecast/tapecast/charts"
	"github.com/tapecast/tapecast/feed"
)

// bare returns the text of a number that may be written as a string.
func bare(span []byte) []byte {
	if len(span) >= 2 && span[0] == '"' {
		return span[1 : len(span)-1]
	}
	return span
}

// fixed reads a decimal number as an integer with that many decimals, exactly:
// it refuses what would lose digits or not fit.
func fixed(span []byte, decimals uint8) (int64, error) {
	b := bare(span)
	if v, ok := fixedFast(b, int(decimals)); ok {
		return v, nil
	}
	return feed.ParseFixed(string(b), decimals)
}

// fixedFast does the plain cases: digits, at most one point, at most 18 digits
// in the result. It does not allocate.
func fixedFast(b []byte, decimals int) (int64, bool) {
	neg := len(b) > 0 && b[0] == '-'
	if neg {
		b = b[1:]
	}
	var v int64
	digits, after := 0, -1 // after the point
	for _, c := range b {
		switch {
		case c == '.' && after < 0:
			after = 0
			continue
		case c < '0' || c > '9':
			return 0, false
		}
		v = v*10 + int64(c-'0')
		digits++
		if after >= 0 {
			after++
		}
		if digits > 18 {
			return 0, false
		}
	}
	missing := decimals - max(after, 0)
	if digits == 0 || missing < 0 || digits+missing > 18 {
		return 0, false
	}
	for range missing {
		v *= 10
	}
	if neg {
		v = -v
	}
	return v, true
}

// turnover reads a decimal number as a 128-bit integer with that many decimals.
func turnover(span []byte, decimals int) (charts.Turnover, error) {
	b := bare(span)
	neg := len(b) > 0 && b[0] == '-'
	digits := b
	if neg {
		digits = b[1:]
	}
	var hi, lo uint64
	seen, after := 0, -1
	for _, c := range digits {
		switch {
		case c == '.' && after < 0:
			after = 0
			continue
		case c < '0' || c > '9', after >= decimals && c != '0':
			return charts.Turnover{}, fmt.Errorf("%.60q is not a number with at most %d decimals", b, decimals)
		}
		seen++
		if after >= decimals {
			continue // a zero more than needed
		}
		if after >= 0 {
			after++
		}
		if !shift(&hi, &lo, uint64(c-'0')) {
			return charts.Turnover{}, fmt.Errorf("%.60q is out of range", b)
		}
	}
	if seen == 0 {
		return charts.Turnover{}, fmt.Errorf("%.60q is not a number", b)
	}
	for range decimals - max(after, 0) {
		if !shift(&hi, &lo, 0) {
			return charts.Turnover{}, fmt.Errorf("%.60q is out of range", b)
		}
	}
	if neg {
		var borrow uint64
		lo, borrow = bits.Sub64(0, lo, 0)
		hi, _ = bits.Sub64(0, hi, borrow)
	}
	return charts.Turnover{Hi: int64(hi), Lo: lo}, nil
}

// shift appends a decimal digit to a 128-bit number and reports whether it
// still fits 127 bits.
func shift(hi, lo *uint64, digit uint64) bool {
	over, h := bits.Mul64(*hi, 10)
	carry, l := bits.Mul64(*lo, 10)
	l, c := bits.Add64(l, digit, 0)
	h, c2 := bits.Add64(h, carry, c)
	*hi, *lo = h, l
	return over == 0 && c2 == 0 && h <= math.MaxInt64
}

// unsigned reads a whole number from 0 up.
func unsigned(span []byte) (uint64, error) {
	if len(span) == 0 || len(span) > 19 {
		return slowUnsigned(span)
	}
	var v uint64
	for _, c := range span {
		if c < '0' || c > '9' {
			return slowUnsigned(span)
		}
		v = v*10 + uint64(c-'0')
	}
	return v, nil
}

func slowUnsigned(span []byte) (uint64, error) {
	v, err := strconv.ParseUint(string(span), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%.40q is not a whole number from 0 up", span)
	}
	return v, nil
}

// signed reads a whole number.
func signed(span []byte) (int64, error) {
	v, err := strconv.ParseInt(string(span), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%.40q is not a whole number", span)
	}
	return v, nil
}

// digest reads a string of 16 hexadecimal digits.
func digest(span []byte) (uint64, error) {
	var b [8]byte
	d := bare(span)
	if len(d) != 16 {
		return 0, fmt.Errorf("digest %.40q does not have 16 digits", d)
	}
	if _, err := hex.Decode(b[:], d); err != nil {
		return 0, fmt.Errorf("digest %.40q is not hexadecimal", d)
	}
	return binary.BigEndian.Uint64(b[:]), nil
}
