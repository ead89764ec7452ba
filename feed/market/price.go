package market

import (
	"math"
	"math/rand/v2"

	"github.com/tapecast/tapecast/feed"
)

const (
	daySeconds = 86400.0

	jumpsPerDay = 3.0  // of a symbol: news
	jumpDev     = 0.12 // their standard deviation, in daily volatilities

	// Logarithmic prices are pulled to the universe's reference price, so slowly
	// that no chart shows it and so surely that a market can run for years.
	pullPerSecond = math.Ln2 / (30 * daySeconds)
)

// indexShare returns how much of the variance of a class's members comes from
// their common index: the mean correlation of their returns.
func indexShare(c feed.Class) float64 {
	if c == feed.Crypto {
		return 0.5
	}
	return 0.35
}

// index is the common factor of a class. Its return has variance 1 a day.
type index struct {
	rng  *rand.Rand
	mood mood
}

// step returns the index's return over a step of that many seconds.
func (x *index) step(s moodStep, seconds float64) float64 {
	x.mood = x.mood.after(s, x.rng)
	return x.mood.volatility() * math.Sqrt(seconds/daySeconds) * student(x.rng)
}

// jump returns the return of a piece of news in daily volatilities: mostly 0.
// chance is the probability that there is one.
func jump(r *rand.Rand, chance float64) float64 {
	if r.Float64() >= chance {
		return 0
	}
	return jumpDev * math.Sqrt2 / 2 * (r.ExpFloat64() - r.ExpFloat64())
}

// relativeSpread returns the typical spread of a listing as a fraction of its
// price, from its daily volatility and its share of the market's activity.
func relativeSpread(l *feed.Listing, share float64) float64 {
	base := 0.8e-4
	if l.Class == feed.Crypto {
		base = 0.3e-4
	}
	scarcity := math.Pow(0.02/share, 0.3)
	return base * l.Volatility / 0.02 * max(0.5, min(4, scarcity))
}

// spread draws a spread in ticks, at least 1, around a typical one.
func spread(r *rand.Rand, typical float64) int64 {
	return 1 + int64(typical*(0.5+0.5*r.ExpFloat64()))
}

// around returns bid and ask in ticks around a price in ticks: bid >= 1 and
// bid < ask.
func around(price float64, spread int64) (bid, ask int64) {
	bid = max(1, int64(math.Round(price-float64(spread)/2)))
	return bid, bid + spread
}
