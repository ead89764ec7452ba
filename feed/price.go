package feed

import (
	"fmt"
	"math"
	"strconv"

	"github.com/shopspring/decimal"
)

// Price is a fixed-point price: an integer at the instrument's Decimals.
type Price int64

// Size is a fixed-point quantity: an integer at the instrument's Scale.
type Size int64

// MaxDecimals bounds Decimals and Scale, so that values stay well inside 64 bits.
const MaxDecimals = 9

// AppendPrice appends p as a decimal number with exactly that many decimals:
// 18942 at 2 decimals is 189.42.
func AppendPrice(dst []byte, p Price, decimals uint8) []byte {
	return appendFixed(dst, int64(p), int(decimals), false)
}

// AppendSize appends v in its shortest form: 100000 at scale 5 is 1.
func AppendSize(dst []byte, v Size, scale uint8) []byte {
	return appendFixed(dst, int64(v), int(scale), true)
}

func appendFixed(dst []byte, v int64, decimals int, shortest bool) []byte {
	u := uint64(v)
	if v < 0 {
		dst = append(dst, '-')
		u = -u
	}
	for shortest && decimals > 0 && u%10 == 0 {
		u /= 10
		decimals--
	}
	if decimals == 0 {
		return strconv.AppendUint(dst, u, 10)
	}
	var digits [20]byte
	i := len(digits)
	for n := 0; u > 0 || n <= decimals; n++ {
		i--
		digits[i] = byte('0' + u%10)
		u /= 10
	}
	point := len(digits) - decimals
	dst = append(dst, digits[i:point]...)
	dst = append(dst, '.')
	return append(dst, digits[point:]...)
}

// ParseFixed reads a decimal number as an integer with that many decimals. It
// refuses what would lose digits or not fit.
func ParseFixed(s string, decimals uint8) (int64, error) {
	d, err := decimal.NewFromString(s)
	if err != nil || d.Exponent() > 18 || d.Exponent() < -40 {
		return 0, fmt.Errorf("%q is not a decimal number", s)
	}
	scaled := d.Shift(int32(decimals))
	if !scaled.IsInteger() {
		return 0, fmt.Errorf("%q has more than %d decimals", s, decimals)
	}
	whole := scaled.BigInt()
	if !whole.IsInt64() || whole.Int64() == math.MinInt64 {
		return 0, fmt.Errorf("%q is out of range", s)
	}
	return whole.Int64(), nil
}
