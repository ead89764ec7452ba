package market_test

import (
	"crypto/sha256"
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tapecast/tapecast/feed"
	"github.com/tapecast/tapecast/feed/market"
)

// start is some market time, in the middle of a minute.
const start = int64(1_790_000_000_123_456_789)

func universe(t testing.TB) feed.Universe {
	t.Helper()
	u, err := feed.DefaultUniverse()
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func newMarket(t testing.TB, o market.Options) *market.Market {
	t.Helper()
	if o.Universe == nil {
		o.Universe = universe(t)
	}
	if o.Start == 0 {
		o.Start = start
	}
	m, err := market.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// digest plays a session of that length in steps and returns the SHA-256 of its
// encoded ticks.
func digest(t *testing.T, o market.Options, length time.Duration, step func() time.Duration) [sha256.Size]byte {
	t.Helper()
	m := newMarket(t, o)
	h := sha256.New()
	var b []byte
	ticks := 0
	for end := m.Now() + int64(length); m.Now() < end; {
		from, to := m.Now(), min(end, m.Now()+int64(step()))
		m.Advance(to, func(symbol int, tick *feed.Tick) {
			if tick.TS < from || tick.TS >= to {
				t.Fatalf("tick %d at %d is not in [%d, %d)", ticks, tick.TS, from, to)
			}
			ticks++
			b = binary.AppendUvarint(b[:0], uint64(symbol))
			h.Write(feed.AppendTick(b, tick))
		})
	}
	if ticks == 0 {
		t.Fatal("no ticks")
	}
	return [sha256.Size]byte(h.Sum(nil))
}

func fixed(d time.Duration) func() time.Duration { return func() time.Duration { return d } }

func TestSessionIsAFunctionOfItsOptions(t *testing.T) {
	const length = time.Minute
	want := digest(t, market.Options{Seed: 7}, length, fixed(10*time.Millisecond))
	rng := rand.New(rand.NewPCG(1, 2))
	slices := map[string]func() time.Duration{
		"the same":    fixed(10 * time.Millisecond),
		"at once":     fixed(length),
		"at random":   func() time.Duration { return time.Duration(rng.Int64N(int64(2 * time.Second))) },
		"each 777 µs": fixed(777 * time.Microsecond),
	}
	for name, step := range slices {
		if digest(t, market.Options{Seed: 7}, length, step) != want {
			t.Errorf("sliced %s, the session differs", name)
		}
	}
	prices := make([]feed.Price, len(universe(t)))
	prices[3] = 12345
	others := map[string]market.Options{
		"seed":         {Seed: 8},
		"start":        {Seed: 7, Start: start + 1},
		"rate":         {Seed: 7, Rate: 1501},
		"start prices": {Seed: 7, Prices: prices},
	}
	for name, o := range others {
		if digest(t, o, length, fixed(length)) == want {
			t.Errorf("with another %s, the session is the same", name)
		}
	}
}

func TestNewRefuses(t *testing.T) {
	u := universe(t)
	tests := []struct {
		name string
		o    market.Options
		want string
	}{
		{"no universe", market.Options{}, "market: the universe is empty"},
		{"rate", market.Options{Universe: u, Rate: -1}, "market: rate -1 must be above 0"},
		{"scenario", market.Options{Universe: u, Scenario: "crash"}, `market: scenario "crash" is unknown`},
		{"prices", market.Options{Universe: u, Prices: []feed.Price{1}}, "market: 1 start prices for 60 symbols"},
		{"price", market.Options{Universe: u[:1], Prices: []feed.Price{-1}}, "market: start price -1 of symbol 0 is negative"},
	}
	for _, tt := range tests {
		if _, err := market.New(tt.o); err == nil || !strings.HasPrefix(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %s", tt.name, err, tt.want)
		}
	}
}

func TestSessionBeginsWithAQuoteOfEachSymbol(t *testing.T) {
	o := market.Options{Universe: universe(t), Prices: make([]feed.Price, 60)}
	o.Prices[5] = 2 * o.Universe[5].Price
	m := newMarket(t, o)
	m.Advance(start, func(int, *feed.Tick) { t.Error("a tick before the start") })
	var symbols []int
	m.Advance(start+1, func(symbol int, tick *feed.Tick) {
		symbols = append(symbols, symbol)
		want := o.Universe[symbol].Price
		if o.Prices[symbol] > 0 {
			want = o.Prices[symbol]
		}
		if off := tick.Price - want; tick.Kind != feed.KindQuote || tick.TS != start || off < -want/500 || off > want/500 {
			t.Errorf("%s begins with %+v, want a quote around %d", o.Universe[symbol].Symbol, *tick, want)
		}
	})
	if len(symbols) != 60 || !slices.IsSorted(symbols) || m.Now() != start+1 {
		t.Errorf("got quotes of symbols %v up to %d", symbols, m.Now())
	}
}

// TestOddUniverse plays instruments and rates at the edge of what is allowed.
func TestOddUniverse(t *testing.T) {
	const header = "symbol,name,class,tick,lot,price,volatility,activity\n"
	u, err := feed.ParseUniverse("odd", strings.NewReader(header+
		"PENNY,P,stock,0.01,1,0.01,1,1\n"+
		"DEAR,D,crypto,1,0.000000001,1000000000000000,1,1\n"+
		"FINE,F,crypto,0.000000001,1,0.000000002,1,1\n"+
		"LOTS,L,stock,0.05,1000000000000,10.15,1,1000\n"+
		"IDLE,I,stock,0.05,100,10.15,1,0.000001\n"))
	if err != nil {
		t.Fatal(err)
	}
	for _, rate := range []float64{1e-9, 1, 1e5} {
		m := newMarket(t, market.Options{Universe: u, Rate: rate})
		check := newChecker(t, u)
		m.Advance(start+int64(time.Second), check.tick)
		if rate < 1000 {
			m.Advance(start+int64(24*time.Hour), check.tick)
		}
	}
}

// checker holds each tick against the rules of a market.
type checker struct {
	t        testing.TB
	u        feed.Universe
	last     int64
	bid, ask []feed.Price
	ticks    int
}

func newChecker(t testing.TB, u feed.Universe) *checker {
	return &checker{t: t, u: u, bid: make([]feed.Price, len(u)), ask: make([]feed.Price, len(u))}
}

func (c *checker) tick(symbol int, t *feed.Tick) {
	in := &c.u[symbol]
	bad := ""
	switch {
	case t.TS < c.last:
		bad = "time goes backwards"
	case t.Price <= 0 || t.Price%in.Tick != 0 || t.Ask%in.Tick != 0:
		bad = "off the tick grid"
	case t.Size <= 0 || t.Size%in.Lot != 0 || t.Size > 1e12 && t.Size != in.Lot:
		bad = "size is no sane multiple of the lot"
	case t.Seq != 0 || t.XTS != 0 || t.Note != nil:
		bad = "has what the market does not give"
	case t.Kind == feed.KindQuote:
		if t.Price >= t.Ask || t.AskSize <= 0 || t.AskSize%in.Lot != 0 || t.Side != feed.Unknown {
			bad = "not a quote"
		}
		c.bid[symbol], c.ask[symbol] = t.Price, t.Ask
	case t.Kind != feed.KindTrade || t.Side == feed.Unknown || t.Ask != 0 || t.AskSize != 0:
		bad = "not a trade"
	case t.Price < c.bid[symbol] || t.Price > c.ask[symbol]:
		bad = "trade outside the quote"
	}
	if bad != "" {
		c.t.Fatalf("tick %d, %s: %s: %+v, quote %d %d", c.ticks, in.Symbol, bad, *t, c.bid[symbol], c.ask[symbol])
	}
	c.last = t.TS
	c.ticks++
}

func BenchmarkAdvance(b *testing.B) {
	m := newMarket(b, market.Options{})
	ticks := 0
	b.ReportAllocs()
	for ticks < b.N {
		m.Advance(m.Now()+int64(10*time.Millisecond), func(int, *feed.Tick) { ticks++ })
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(ticks), "ns/tick")
}
