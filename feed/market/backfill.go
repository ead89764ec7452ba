package market

import (
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/tapecast/tapecast/charts"
	"github.com/tapecast/tapecast/feed"
)

// MaxBackfill is the longest past that Backfill makes up, in days.
const MaxBackfill = 31

const minuteSeconds = 60.0

// Backfill makes up the minute bars of the days before the session: for each
// symbol, in the order of the universe, it calls visit with the windows that end
// at the minute of Start, in ascending order. They are flagged synthetic and
// their last close is the session's start price. The slice is valid during the
// call. Backfill depends on the options alone, not on Advance. An error of visit
// ends it.
func (m *Market) Backfill(days int, visit func(symbol int, w []charts.Window) error) error {
	if days < 0 || days > MaxBackfill {
		return fmt.Errorf("market: back-fill of %d days must be 0 to %d", days, MaxBackfill)
	}
	minutes := days * int(charts.Day/charts.Minute)
	step := newMoodStep(minuteSeconds)
	indices := m.options.indices("back-fill index ")
	var returns [2][]float64
	for i := range indices {
		returns[i] = make([]float64, minutes)
		for k := range returns[i] {
			returns[i][k] = indices[i].step(step, minuteSeconds)
		}
	}
	windows := make([]charts.Window, 0, minutes)
	for i := range m.symbols {
		h := newHistory(m, i)
		windows = h.windows(windows[:0], returns[m.symbols[i].class], step)
		if err := visit(i, windows); err != nil {
			return err
		}
	}
	return nil
}

// history makes up one symbol's past.
type history struct {
	symbol *symbol // for its constants only
	rng    *rand.Rand
	end    int64   // ns UTC, where the past ends
	close  float64 // the price there, in ticks
}

func newHistory(m *Market, i int) history {
	o := &m.options
	return history{
		symbol: &m.symbols[i],
		rng:    newRand(o.Seed, o.Start, "back-fill "+o.Universe[i].Symbol),
		end:    charts.Minute.Floor(o.Start),
		close:  float64(o.price(i)) / float64(o.Universe[i].Tick),
	}
}

// windows appends a window for each return of the index, as many minutes.
func (h *history) windows(dst []charts.Window, index []float64, step moodStep) []charts.Window {
	moods := make([]mood, len(index))
	prices := make([]float64, len(index)+1) // in ticks, at the minutes' ends
	m := newMood(h.rng)
	prices[len(index)] = h.close
	for k := len(index) - 1; k >= 0; k-- { // moods and returns look the same in both directions of time
		m = m.after(step, h.rng)
		moods[k] = m
		prices[k] = prices[k+1] * math.Exp(-h.move(index[k], m))
	}
	start := h.end - int64(len(index))*int64(charts.Minute)
	for k := range index {
		dst = h.minute(dst, start, prices[k], prices[k+1], moods[k])
		start += int64(charts.Minute)
	}
	return dst
}

// move returns the return of a minute.
func (h *history) move(index float64, m mood) float64 {
	s := h.symbol
	own := s.own * math.Sqrt(s.rate*minuteSeconds) * m.volatility() * student(h.rng)
	return s.loading*index + own + s.daily*jump(h.rng, jumpsPerDay*minuteSeconds/daySeconds)
}

// minute appends the window of a minute in which the price went from open to end
// (in ticks), unless nothing traded.
func (h *history) minute(dst []charts.Window, start int64, open, end float64, m mood) []charts.Window {
	s := h.symbol
	trades := math.Floor(s.rate*tradeShare*minuteSeconds*m.activity() + h.rng.Float64())
	if trades == 0 {
		return dst
	}
	reach := open * s.daily * math.Sqrt(minuteSeconds/daySeconds) * m.volatility() / 2
	way := wander(h.rng, open, end, reach)
	path := way[:]
	if trades < float64(len(path)) { // too few for the whole way: its end will do
		path = path[len(path)-1:]
	}
	share := 1 / float64(len(path)) // of the minute and of its trades
	w := charts.Window{Interval: charts.Minute, Start: start, Synthetic: true}
	for k, ticks := range path {
		at := start + int64((float64(k)+h.rng.Float64())*share*float64(charts.Minute))
		t := feed.Tick{Kind: feed.KindTrade, TS: at, Price: s.units(max(1, int64(math.Round(ticks))))}
		t.Size = s.several(h.rng, ticks*s.tick, trades*share)
		w.Add(&t)
	}
	w.Count, w.Digest = uint64(trades), 0
	return append(dst, w)
}

// wander returns a way from open to end by its low and its high, the nearer to
// open first.
func wander(r *rand.Rand, open, end, reach float64) [4]float64 {
	low := min(open, end) - reach*math.Abs(r.NormFloat64())
	high := max(open, end) + reach*math.Abs(r.NormFloat64())
	if end < open {
		low, high = high, low
	}
	return [4]float64{open, low, high, end}
}

// several draws the sum of that many trades' sizes, as a multiple of one.
func (s *symbol) several(r *rand.Rand, price, trades float64) feed.Size {
	one := float64(s.sizes.trade(r, price))
	return s.sizes.lots(one * trades / s.sizes.one)
}
