package market

import (
	"math"
	"math/rand/v2"

	"github.com/tapecast/tapecast/feed"
)

// tradeShare is the part of all ticks that are trades; the others are quotes.
const tradeShare = 1.0 / 3

const (
	reach      = 3.0 // how far a logarithmic price can go: a factor of 20
	longestGap = 1e8 // s: more would not fit into nanoseconds
)

// symbol is the state of one traded instrument. Its logarithmic price wanders
// with each of its events and with its class's index at each beat; quotes are
// set around the price, trades happen at the quote that was last shown.
type symbol struct {
	rng      *rand.Rand
	class    int
	arrivals arrivals
	sizes    sizes
	flow     flow
	mood     mood

	rate     float64 // mean events/s
	own      float64 // standard deviation of the own return per event, in a mean mood
	news     float64 // probability of a jump per event
	daily    float64 // volatility of a day
	loading  float64 // return per return of the index
	tick     float64 // at the instrument's decimals
	relative float64 // typical spread, as a fraction of the price

	log, reference float64 // logarithms of the price and of the universe's price
	low, high      float64 // bounds of log, which only odd options come near
	dev            float64 // own return per event in the current mood
	spread         int64   // ticks
	bid, ask       int64   // the last quote, in ticks; 0 before the first
}

// newSymbol returns a symbol that has that share of the market's ticks.
func newSymbol(o *Options, i int, share float64) symbol {
	l := &o.Universe[i]
	rng := newRand(o.Seed, o.Start, "symbol "+l.Symbol)
	rate := o.Rate * share
	// What jumps and the index add to the variance is taken from the own part.
	jumps := jumpsPerDay * jumpDev * jumpDev
	s := symbol{
		rng: rng, class: classIndex(l.Class), arrivals: newArrivals(rate), sizes: newSizes(&l.Instrument),
		mood: newMood(rng), rate: rate, daily: l.Volatility, tick: float64(l.Tick),
		own:       l.Volatility * math.Sqrt((1-indexShare(l.Class)-jumps)/(rate*daySeconds)),
		news:      min(1, jumpsPerDay/(rate*daySeconds)),
		loading:   l.Volatility * math.Sqrt(indexShare(l.Class)),
		relative:  relativeSpread(l, share),
		log:       math.Log(float64(o.price(i))),
		reference: math.Log(float64(l.Price)),
	}
	s.low = max(math.Log(2*s.tick), min(s.log, s.reference)-reach)
	s.high = max(s.log, s.reference) + reach
	s.settle()
	return s
}

// settle derives from the mood what depends on it alone.
func (s *symbol) settle() {
	s.arrivals.base = s.rate * (1 - branching) * s.mood.activity()
	s.dev = s.own * s.mood.impact()
}

// beat moves the symbol along with its index.
func (s *symbol) beat(step moodStep, index float64) {
	s.mood = s.mood.after(step, s.rng)
	s.log += s.loading*index + (s.reference-s.log)*pullPerSecond*beatSeconds
	s.settle()
}

// gap returns the time to the symbol's next event, ns.
func (s *symbol) gap() int64 { return int64(min(longestGap, s.arrivals.next(s.rng)) * 1e9) }

// event makes the symbol's next tick. The first is a quote.
func (s *symbol) event(t *feed.Tick) {
	if s.bid == 0 {
		s.quote(t)
		return
	}
	s.log += s.dev*student(s.rng) + s.daily*jump(s.rng, s.news)
	s.log = max(s.low, min(s.high, s.log))
	if s.rng.Float64() < tradeShare {
		s.trade(t)
		return
	}
	s.quote(t)
}

func (s *symbol) quote(t *feed.Tick) {
	price := math.Exp(s.log)
	ticks := price / s.tick
	if s.spread == 0 || s.rng.Float64() < 0.3 {
		s.spread = spread(s.rng, ticks*s.relative)
	}
	s.bid, s.ask = around(ticks, s.spread)
	t.Kind = feed.KindQuote
	t.Price, t.Size = s.units(s.bid), s.sizes.quoted(s.rng, price)
	t.Ask, t.AskSize = s.units(s.ask), s.sizes.quoted(s.rng, price)
}

func (s *symbol) trade(t *feed.Tick) {
	price := math.Exp(s.log)
	t.Kind, t.Side = feed.KindTrade, s.side(price/s.tick)
	at := s.ask
	if t.Side == feed.Sell {
		at = s.bid
	}
	if inside := s.ask - s.bid - 1; inside > 0 && s.rng.Float64() < 0.12 {
		at = s.bid + 1 + s.rng.Int64N(inside)
	}
	t.Price, t.Size = s.units(at), s.sizes.trade(s.rng, price)
}

// side returns who trades: whoever knows better where the price has left the
// quote, else what the flow of orders brings.
func (s *symbol) side(ticks float64) feed.Side {
	switch {
	case ticks > float64(s.ask):
		return feed.Buy
	case ticks < float64(s.bid):
		return feed.Sell
	default:
		return s.flow.next(s.rng)
	}
}

func (s *symbol) units(ticks int64) feed.Price { return feed.Price(ticks * int64(s.tick)) }
