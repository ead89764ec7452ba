package market

import (
	"errors"
	"fmt"
	"time"

	"github.com/tapecast/tapecast/feed"
)

// DefaultRate is the mean number of ticks per second of the whole market.
const DefaultRate = 1500

const maxRate = 10_000_000

// beat is how often moods, indices and the pull move; events come in between.
const (
	beat        = int64(250 * time.Millisecond)
	beatSeconds = float64(beat) / 1e9
)

// Options say which session a market plays.
type Options struct {
	Universe feed.Universe // not empty; not changed, and not to be changed
	Seed     uint64
	Start    int64   // market time, ns UTC
	Rate     float64 // mean ticks per second over all symbols; 0: DefaultRate
	Scenario string  // "" is the plain market, the only one so far
	// Prices are where the symbols begin, by their index; 0, or a nil slice, is
	// the listing's own price.
	Prices []feed.Price
}

// Market plays one session. It is not safe for concurrent use.
type Market struct {
	options Options
	symbols []symbol
	queue   queue
	indices [2]index // of stocks and of crypto pairs
	step    moodStep
	beat    int64 // when the next one is
	now     int64
	tick    feed.Tick // what is being emitted
}

// New returns the market of a session, at its start.
func New(o Options) (*Market, error) {
	if o.Rate == 0 {
		o.Rate = DefaultRate
	}
	if err := o.validate(); err != nil {
		return nil, fmt.Errorf("market: %w", err)
	}
	m := &Market{
		options: o, step: newMoodStep(beatSeconds), beat: o.Start + beat, now: o.Start,
		symbols: make([]symbol, len(o.Universe)), queue: make(queue, len(o.Universe)),
	}
	m.indices = o.indices("index ")
	total := o.activity()
	for i := range m.symbols {
		m.symbols[i] = newSymbol(&o, i, o.Universe[i].Activity/total)
		m.queue[i] = event{at: o.Start, symbol: i}
	}
	return m, nil
}

func (o *Options) validate() error {
	var errs []error
	if len(o.Universe) == 0 {
		errs = append(errs, errors.New("the universe is empty"))
	}
	if !(o.Rate > 0 && o.Rate <= maxRate) { // false for NaN, too
		errs = append(errs, fmt.Errorf("rate %g must be above 0, at most %d ticks/s", o.Rate, maxRate))
	}
	if o.Scenario != "" {
		errs = append(errs, fmt.Errorf("scenario %q is unknown; leave it empty for the plain market", o.Scenario))
	}
	if o.Prices != nil && len(o.Prices) != len(o.Universe) {
		errs = append(errs, fmt.Errorf("%d start prices for %d symbols", len(o.Prices), len(o.Universe)))
	}
	for i, p := range o.Prices {
		if p < 0 {
			errs = append(errs, fmt.Errorf("start price %d of symbol %d is negative", p, i))
		}
	}
	return errors.Join(errs...)
}

// indices returns the index of each class, by classIndex.
func (o *Options) indices(label string) [2]index {
	var out [2]index
	for _, c := range []feed.Class{feed.Stock, feed.Crypto} {
		rng := newRand(o.Seed, o.Start, label+c.String())
		out[classIndex(c)] = index{rng: rng, mood: newMood(rng)}
	}
	return out
}

func classIndex(c feed.Class) int {
	if c == feed.Crypto {
		return 1
	}
	return 0
}

// price returns the start price of a symbol.
func (o *Options) price(i int) feed.Price {
	if o.Prices != nil && o.Prices[i] > 0 {
		return o.Prices[i]
	}
	return o.Universe[i].Price
}

// activity returns the sum over the universe.
func (o *Options) activity() float64 {
	sum := 0.0
	for i := range o.Universe {
		sum += o.Universe[i].Activity
	}
	return sum
}

// Now returns the market time up to which ticks have been emitted, ns UTC.
func (m *Market) Now() int64 { return m.now }

// Advance emits, in the order of time, every tick from Now up to but without
// to (market time, ns UTC). The session begins with a quote of each symbol. The
// tick has no seq: whoever writes the tape numbers it. It belongs to the market
// and is valid during the call; emit may change it. Advance does not allocate.
func (m *Market) Advance(to int64, emit func(symbol int, t *feed.Tick)) {
	for m.queue[0].at < to {
		next := m.queue[0]
		for next.at >= m.beat {
			m.move()
		}
		s := &m.symbols[next.symbol]
		m.tick = feed.Tick{TS: next.at}
		s.event(&m.tick)
		m.queue.postpone(next.at + s.gap())
		emit(next.symbol, &m.tick)
	}
	m.now = max(m.now, to)
}

// move is a beat: indices, moods and the pull.
func (m *Market) move() {
	var returns [2]float64
	for i := range m.indices {
		returns[i] = m.indices[i].step(m.step, beatSeconds)
	}
	for i := range m.symbols {
		s := &m.symbols[i]
		s.beat(m.step, returns[s.class])
	}
	m.beat += beat
}
