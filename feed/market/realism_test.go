package market_test

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/tapecast/tapecast/feed"
	"github.com/tapecast/tapecast/feed/market"
)

// series is what half a day of one symbol shows.
type series struct {
	mids   []float64 // logarithm of the mid price at the end of each minute
	volume []float64 // of each minute
	gaps   []float64 // between trades, s
	signs  []float64
	mid    float64
	traded float64
	last   int64
	ticks  int
}

func (s *series) tick(t *feed.Tick) {
	s.ticks++
	if t.Kind == feed.KindQuote {
		s.mid = math.Log(float64(t.Price+t.Ask) / 2)
		return
	}
	s.traded += float64(t.Size)
	if s.last != 0 {
		s.gaps = append(s.gaps, float64(t.TS-s.last)/1e9)
	}
	s.last = t.TS
	s.signs = append(s.signs, float64(t.Side)*2-3)
}

func (s *series) minute() {
	s.mids = append(s.mids, s.mid)
	s.volume = append(s.volume, s.traded)
	s.traded = 0
}

// returns are those of n minutes.
func (s *series) returns(n int) []float64 {
	var out []float64
	for i := n; i < len(s.mids); i += n {
		out = append(out, s.mids[i]-s.mids[i-n])
	}
	return out
}

// hours is how long TestRealism plays.
const hours = 12

// TestRealism plays half a day at a twentieth of the default rate and holds what it shows
// against what is known of real markets. It is one seed with wide bounds: it
// finds a broken process, it grades none.
func TestRealism(t *testing.T) {
	if testing.Short() {
		t.Skip("plays half a day")
	}
	u := universe(t)
	m := newMarket(t, market.Options{Universe: u, Seed: 4, Rate: 75})
	check := newChecker(t, u)
	all := make([]series, len(u))
	for range hours * 60 {
		m.Advance(m.Now()+int64(time.Minute), func(symbol int, tick *feed.Tick) {
			check.tick(symbol, tick)
			all[symbol].tick(tick)
		})
		for i := range all {
			all[i].minute()
		}
	}
	within := func(what string, got, low, high float64) {
		t.Helper()
		t.Logf("%-44s %8.3f in [%g, %g]", what, got, low, high)
		if !(got >= low && got <= high) {
			t.Errorf("%s is %.3f, want %g to %g", what, got, low, high)
		}
	}
	median := func(f func(s *series) float64) float64 {
		var v []float64
		for i := range all {
			v = append(v, f(&all[i]))
		}
		slices.Sort(v)
		return v[len(v)/2]
	}
	for i := range all {
		if off := math.Abs(all[i].mid - math.Log(float64(u[i].Price))); off > 10*u[i].Volatility {
			t.Errorf("%s moved by %.1f of its daily volatility in half a day", u[i].Symbol, off/u[i].Volatility)
		}
	}
	ones := func(s *series) []float64 { return s.returns(1) }
	within("ticks per second", float64(check.ticks)/(hours*3600), 60, 90)
	within("kurtosis of 1-minute returns", median(func(s *series) float64 { return kurtosis(ones(s)) }), 4, 50)
	within("kurtosis of 30-minute returns", median(func(s *series) float64 { return kurtosis(s.returns(30)) }), 1.5, 8)
	within("autocorrelation of returns, lag 1", median(func(s *series) float64 { return autocorrelation(ones(s), 1) }), -0.08, 0.08)
	within("autocorrelation of |returns|, lag 1", median(func(s *series) float64 { return autocorrelation(abs(ones(s)), 1) }), 0.1, 0.5)
	within("autocorrelation of |returns|, lag 30", median(func(s *series) float64 { return autocorrelation(abs(ones(s)), 30) }), 0.02, 0.4)
	within("correlation of volume and |return|", median(func(s *series) float64 { return correlation(s.volume[1:], abs(ones(s))) }), 0.1, 0.7)
	within("coefficient of variation between trades", median(func(s *series) float64 { return deviation(s.gaps) / mean(s.gaps) }), 1.6, 4)
	within("autocorrelation of trade signs, lag 1", median(func(s *series) float64 { return autocorrelation(s.signs, 1) }), 0.15, 0.6)
	within("autocorrelation of trade signs, lag 20", median(func(s *series) float64 { return autocorrelation(s.signs, 20) }), 0.01, 0.4)
	within("correlation of stocks, 5 minutes", pairs(all[:40], 5), 0.2, 0.5)
	within("correlation of crypto pairs, 5 minutes", pairs(all[40:], 5), 0.3, 0.75)
	var volatility []float64
	for i := range all {
		volatility = append(volatility, deviation(ones(&all[i]))*math.Sqrt(1440)/u[i].Volatility)
	}
	within("realised to given volatility", mean(volatility), 0.7, 1.4)
	within("Zipf exponent of activity", zipf(all), 0.7, 1.4)
}

// TestQuietMarket plays one in which most beats pass without an event: it must
// not lose what its index does meanwhile.
func TestQuietMarket(t *testing.T) {
	const days = 3
	u := universe(t)[40:]
	m := newMarket(t, market.Options{Universe: u, Seed: 2, Rate: 0.4})
	all := make([]series, len(u))
	for range days * 24 {
		m.Advance(m.Now()+int64(time.Hour), func(symbol int, tick *feed.Tick) { all[symbol].tick(tick) })
		for i := range all {
			all[i].minute()
		}
	}
	var ratios []float64
	for i := range all {
		ratios = append(ratios, deviation(all[i].returns(1))*math.Sqrt(24)/u[i].Volatility)
	}
	if ratio, together := mean(ratios), pairs(all, 1); ratio < 0.8 || ratio > 1.25 || together < 0.3 {
		t.Errorf("realised to given volatility %.2f, correlation %.2f", ratio, together)
	}
}

// pairs returns the mean correlation between neighbours.
func pairs(all []series, minutes int) float64 {
	var v []float64
	for i := range all[1:] {
		v = append(v, correlation(all[i].returns(minutes), all[i+1].returns(minutes)))
	}
	return mean(v)
}

// zipf returns minus the slope of log activity over log rank.
func zipf(all []series) float64 {
	var ticks, x, y []float64
	for i := range all {
		ticks = append(ticks, float64(all[i].ticks))
	}
	slices.Sort(ticks)
	slices.Reverse(ticks)
	for rank, n := range ticks {
		x, y = append(x, math.Log(float64(rank+1))), append(y, math.Log(n))
	}
	return -correlation(x, y) * deviation(y) / deviation(x)
}

func mean(v []float64) float64 {
	sum := 0.0
	for _, x := range v {
		sum += x
	}
	return sum / float64(len(v))
}

// moment returns the k-th central moment.
func moment(v []float64, k float64) float64 {
	m, sum := mean(v), 0.0
	for _, x := range v {
		sum += math.Pow(x-m, k)
	}
	return sum / float64(len(v))
}

func deviation(v []float64) float64 { return math.Sqrt(moment(v, 2)) }

func kurtosis(v []float64) float64 { return moment(v, 4) / (moment(v, 2) * moment(v, 2)) }

func correlation(a, b []float64) float64 {
	ma, mb, sum := mean(a), mean(b), 0.0
	for i := range a {
		sum += (a[i] - ma) * (b[i] - mb)
	}
	return sum / float64(len(a)) / (deviation(a) * deviation(b))
}

func autocorrelation(v []float64, lag int) float64 { return correlation(v[lag:], v[:len(v)-lag]) }

func abs(v []float64) []float64 {
	out := make([]float64, len(v))
	for i, x := range v {
		out[i] = math.Abs(x)
	}
	return out
}
