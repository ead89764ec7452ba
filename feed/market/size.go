package market

import (
	"math"
	"math/rand/v2"

	"github.com/tapecast/tapecast/feed"
)

const (
	roundLot    = 100.0 // shares
	sizeLimit   = 1e12  // at the scale: keeps the sums of a busy day inside 64 bits
	maxNotional = 2e6   // of one crypto trade, in units of the quote currency
)

// sizes makes the sizes of one instrument.
type sizes struct {
	class feed.Class
	lot   float64 // at the instrument's scale
	one   float64 // share or coin, at the scale
	money float64 // one unit of the quote currency, at the price's decimals
}

func newSizes(in *feed.Instrument) sizes {
	return sizes{
		class: in.Class, lot: float64(in.Lot),
		one: math.Pow10(int(in.Scale)), money: math.Pow10(int(in.Decimals)),
	}
}

// trade draws the size of a trade at that price (at the instrument's decimals).
func (s *sizes) trade(r *rand.Rand, price float64) feed.Size {
	if s.class == feed.Crypto {
		notional := min(maxNotional, 400*math.Exp(1.5*r.NormFloat64()))
		coins := notional * s.money / price
		if r.Float64() < 0.35 {
			coins = leadingDigit(coins)
		}
		return s.lots(coins)
	}
	return s.lots(shares(r))
}

// quoted draws the size that is offered at a quote's side.
func (s *sizes) quoted(r *rand.Rand, price float64) feed.Size {
	if s.class == feed.Crypto {
		return s.lots(4000 * r.ExpFloat64() * s.money / price)
	}
	return s.lots(roundLot * (1 + math.Floor(4*r.ExpFloat64())))
}

// lots returns that many shares or coins, rounded to the lot.
func (s *sizes) lots(n float64) feed.Size {
	lots := math.Round(n * s.one / s.lot)
	return feed.Size(max(1, min(lots, math.Floor(sizeLimit/s.lot))) * s.lot)
}

// shares draws the shares of a stock trade: a fifth are odd lots, the rest
// cluster at a few round numbers, with a heavy tail.
func shares(r *rand.Rand) float64 {
	switch u := r.Float64(); {
	case u < 0.20:
		return 1 + math.Floor(99*r.Float64()*r.Float64())
	case u < 0.66:
		return roundLot
	case u < 0.80:
		return 2 * roundLot
	case u < 0.86:
		return 3 * roundLot
	case u < 0.93:
		return 5 * roundLot
	case u < 0.97:
		return 10 * roundLot
	default:
		return roundLot * math.Floor(min(400, 4*pareto(r, 1.6)))
	}
}

// leadingDigit rounds v to one significant digit, as people do.
func leadingDigit(v float64) float64 {
	unit := math.Pow10(int(math.Floor(math.Log10(v))))
	return math.Round(v/unit) * unit
}
