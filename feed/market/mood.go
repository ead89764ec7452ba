package market

import (
	"math"
	"math/rand/v2"
)

// mood is how excited a symbol or a class is: the logarithm of its activity. It
// is the sum of a component of minutes and one of hours, both of which revert to
// 0, so that busy and volatile times come in clusters of all lengths.
type mood struct{ fast, slow float64 }

const (
	fastTime, fastDev = 180.0, 0.35  // s; standard deviation
	slowTime, slowDev = 7200.0, 0.45 // s; standard deviation
	moodVar           = fastDev*fastDev + slowDev*slowDev
)

// newMood draws a mood from its stationary distribution.
func newMood(r *rand.Rand) mood {
	return mood{fast: fastDev * r.NormFloat64(), slow: slowDev * r.NormFloat64()}
}

// moodStep holds what a step of a fixed length does to a mood.
type moodStep struct{ fastKeep, fastNoise, slowKeep, slowNoise float64 }

// newMoodStep returns the step of that many seconds.
func newMoodStep(seconds float64) moodStep {
	fast, slow := math.Exp(-seconds/fastTime), math.Exp(-seconds/slowTime)
	return moodStep{
		fastKeep: fast, fastNoise: fastDev * math.Sqrt(1-fast*fast),
		slowKeep: slow, slowNoise: slowDev * math.Sqrt(1-slow*slow),
	}
}

func (m mood) after(s moodStep, r *rand.Rand) mood {
	return mood{
		fast: m.fast*s.fastKeep + s.fastNoise*r.NormFloat64(),
		slow: m.slow*s.slowKeep + s.slowNoise*r.NormFloat64(),
	}
}

// activity returns the factor of the event rate; its mean is 1.
func (m mood) activity() float64 { return math.Exp(m.fast + m.slow - moodVar/2) }

// volatility returns the factor of a return over time; the mean of its square
// is 1.
func (m mood) volatility() float64 { return math.Exp(m.fast + m.slow - moodVar) }

// impact returns the factor of a return per event. The event rate has its share
// in volatility already: volatility² = activity x impact², whose mean is 1.
func (m mood) impact() float64 { return math.Exp((m.fast + m.slow - 1.5*moodVar) / 2) }
