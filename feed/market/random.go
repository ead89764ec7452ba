package market

import (
	"crypto/sha256"
	"encoding/binary"
	"math"
	"math/rand/v2"
)

// newRand returns the source of randomness that a session uses for one purpose.
// Sources of different labels, seeds or starts have nothing in common.
func newRand(seed uint64, start int64, label string) *rand.Rand {
	b := binary.LittleEndian.AppendUint64(nil, seed)
	b = binary.LittleEndian.AppendUint64(b, uint64(start))
	return rand.New(rand.NewChaCha8(sha256.Sum256(append(b, label...))))
}

// unit returns a number in (0, 1].
func unit(r *rand.Rand) float64 { return 1 - r.Float64() }

// student returns a sample of Student's t distribution with 4 degrees of
// freedom, scaled to variance 1: the heavy tail of returns. It is cut at ±40, so
// that no single sample can move a price out of this world.
func student(r *rand.Rand) float64 {
	// With E1 + E2 ~ Gamma(2), N / sqrt(E1+E2) is t4 / sqrt(2).
	t := r.NormFloat64() / math.Sqrt(r.ExpFloat64()+r.ExpFloat64()+1e-12)
	return max(-40, min(40, t))
}

// pareto returns a sample of at least 1 with tail exponent a.
func pareto(r *rand.Rand, a float64) float64 { return math.Pow(unit(r), -1/a) }
