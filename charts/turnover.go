package charts

import (
	"math/bits"

	"github.com/tapecast/tapecast/feed"
)

// Turnover is a sum of price x size: a signed 128-bit integer at the price's
// plus the size's decimals, in two's complement.
type Turnover struct {
	Hi int64
	Lo uint64
}

// product returns price x size, exactly.
func product(p feed.Price, v feed.Size) Turnover {
	neg := (p < 0) != (v < 0)
	hi, lo := bits.Mul64(magnitude(int64(p)), magnitude(int64(v)))
	t := Turnover{Hi: int64(hi), Lo: lo}
	if neg {
		return t.negated()
	}
	return t
}

func magnitude(v int64) uint64 {
	if v < 0 {
		return -uint64(v)
	}
	return uint64(v)
}

func (t Turnover) negated() Turnover {
	lo, carry := bits.Add64(^t.Lo, 1, 0)
	return Turnover{Hi: int64(^uint64(t.Hi) + carry), Lo: lo}
}

// Plus returns t + u modulo 2^128.
func (t Turnover) Plus(u Turnover) Turnover {
	lo, carry := bits.Add64(t.Lo, u.Lo, 0)
	hi, _ := bits.Add64(uint64(t.Hi), uint64(u.Hi), carry)
	return Turnover{Hi: int64(hi), Lo: lo}
}

// Append appends t as a decimal number with exactly that many decimals: the
// instrument's Decimals + Scale.
func (t Turnover) Append(dst []byte, decimals int) []byte {
	if t.Hi < 0 {
		dst = append(dst, '-')
		t = t.negated()
	}
	var digits [48]byte
	i := len(digits)
	hi, lo := uint64(t.Hi), t.Lo
	for n := 0; hi > 0 || lo > 0 || n <= decimals; n++ {
		if n == decimals && decimals > 0 {
			i--
			digits[i] = '.'
		}
		var r uint64
		hi, r = hi/10, hi%10
		lo, r = bits.Div64(r, lo, 10)
		i--
		digits[i] = byte('0' + r)
	}
	return append(dst, digits[i:]...)
}
