package market

import (
	"math"
	"testing"

	"github.com/tapecast/tapecast/feed"
)

func TestMoodsMeanNothing(t *testing.T) {
	rng := newRand(1, 2, "test")
	step := newMoodStep(beatSeconds)
	var activity, volatility, impact, clusters float64
	const n = 400_000
	for range n {
		m := newMood(rng).after(step, rng)
		activity += m.activity() / n
		volatility += m.volatility() * m.volatility() / n
		impact += m.activity() * m.impact() * m.impact() / n
		clusters += math.Pow(m.activity()*m.impact()*m.impact(), 2) / n
	}
	if clusters < 2.5 || clusters > 5 { // exp(4 moodVar) is 3.7
		t.Errorf("mean of the squared variance is %.1f times the square of the mean", clusters)
	}
	for what, got := range map[string]float64{"activity": activity, "volatility²": volatility, "activity x impact²": impact} {
		if math.Abs(got-1) > 0.03 {
			t.Errorf("mean %s is %.3f, want 1", what, got)
		}
	}
}

func TestStudentHasVarianceOne(t *testing.T) {
	rng := newRand(1, 2, "test")
	var sum, tail float64
	const n = 400_000
	for range n {
		x := student(rng)
		sum += x * x / n
		if math.Abs(x) > 5 {
			tail += 1.0 / n
		}
	}
	if math.Abs(sum-1) > 0.05 || tail < 0.001 || tail > 0.004 { // of a normal distribution: 6e-7
		t.Errorf("variance %.3f, beyond 5: %.5f", sum, tail)
	}
}

func TestArrivalsKeepTheirRate(t *testing.T) {
	for _, rate := range []float64{0.01, 1, 1000} {
		rng := newRand(1, 2, "test")
		a := newArrivals(rate)
		sum := 0.0
		const n = 200_000
		for range n {
			gap := a.next(rng)
			if !(gap >= 0) {
				t.Fatalf("gap %v", gap)
			}
			sum += gap
		}
		if got := n / sum; math.Abs(got/rate-1) > 0.05 {
			t.Errorf("%.4f events/s, want %g", got, rate)
		}
	}
}

func TestQuotesStayOnTheGround(t *testing.T) {
	for _, tt := range []struct {
		price    float64
		spread   int64
		bid, ask int64
	}{{100, 1, 100, 101}, {100.2, 2, 99, 101}, {0.2, 3, 1, 4}, {1e-300, 1, 1, 2}} {
		if bid, ask := around(tt.price, tt.spread); bid != tt.bid || ask != tt.ask {
			t.Errorf("around(%g, %d) is %d, %d, want %d, %d", tt.price, tt.spread, bid, ask, tt.bid, tt.ask)
		}
	}
}

// TestPricesStayInTheirBounds lets every event be a catastrophe.
func TestPricesStayInTheirBounds(t *testing.T) {
	u, err := feed.DefaultUniverse()
	if err != nil {
		t.Fatal(err)
	}
	o := Options{Universe: u, Rate: 100}
	for i := range u {
		s := newSymbol(&o, i, 0.1)
		for range 1000 {
			s.dev = 10
			var tick feed.Tick
			s.event(&tick)
			if limit := 22 * u[i].Price; tick.Price <= 0 || tick.Price > limit || tick.Ask > limit {
				t.Fatalf("%s: %+v", u[i].Symbol, tick)
			}
		}
	}
}

func TestSizesFollowTheClass(t *testing.T) {
	rng := newRand(1, 2, "test")
	stock := newSizes(&feed.Instrument{Class: feed.Stock, Lot: 1})
	coin := newSizes(&feed.Instrument{Class: feed.Crypto, Lot: 1, Scale: 5, Decimals: 2})
	odd, round, notional := 0, 0, 0.0
	const n = 100_000
	for range n {
		switch size := stock.trade(rng, 20_000); {
		case size < 100:
			odd++
		case size%100 == 0:
			round++
		}
		notional += float64(coin.trade(rng, 9_000_000)) / 1e5 * 90_000 / n
	}
	if odd < n/10 || odd > n/4 || odd+round != n {
		t.Errorf("%d odd and %d round lots of %d", odd, round, n)
	}
	if notional < 500 || notional > 3000 {
		t.Errorf("a crypto trade is of %.0f on average", notional)
	}
}
