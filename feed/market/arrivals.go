package market

import (
	"math"
	"math/rand/v2"
)

// Each event of a symbol excites more of them: on average branching children,
// which follow within a fraction of the mean gap. This is a Hawkes process with
// an exponential kernel.
const (
	branching = 0.75
	quickness = 3.0 // decay of the excitement, in events at the mean rate
)

// arrivals is the intensity of a symbol's events: a base rate and the
// excitement that earlier events left.
type arrivals struct {
	base   float64 // events/s
	excess float64 // events/s above base, just after the last event
	decay  float64 // 1/s
}

// newArrivals returns arrivals with that mean rate in events per second.
func newArrivals(rate float64) arrivals {
	return arrivals{base: rate * (1 - branching), excess: rate * branching, decay: quickness * rate}
}

// next returns the time to the next event in seconds and excites what follows.
// It samples exactly (Dassios and Zhao 2013): the event comes either of the base
// rate or of the decaying excess, whichever is first.
func (a *arrivals) next(r *rand.Rand) float64 {
	ofBase := r.ExpFloat64() / a.base
	left := 1 - a.decay*r.ExpFloat64()/a.excess // of the excess, at its event
	gap := math.Inf(1)
	if left > 0 {
		gap = -math.Log(left) / a.decay
	}
	if ofBase < gap {
		gap = ofBase
		left = math.Exp(-a.decay * gap)
	}
	a.excess = a.excess*left + branching*a.decay
	return gap
}
