package fanout_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/tapecast/tapecast/charts"
	"github.com/tapecast/tapecast/fanout"
	"github.com/tapecast/tapecast/feed"
)

const testTape feed.TapeID = 0xfeedbeef

// testStart is a whole minute.
var testStart = time.Date(2026, 3, 2, 14, 30, 0, 0, time.UTC)

// tape is a small random tape that tests write and hubs read.
type tape struct {
	rand    *rand.Rand
	lanes   [][]fanout.Record
	symbols []string
	seqs    map[string]*[feed.Channels]uint64
	prices  map[string]feed.Price
	ts      int64
}

func newTape(seed uint64, lanes, symbols int) *tape {
	t := &tape{
		rand:  rand.New(rand.NewPCG(seed, 1)),
		lanes: make([][]fanout.Record, lanes),
		seqs:  map[string]*[feed.Channels]uint64{}, prices: map[string]feed.Price{},
		ts: testStart.UnixNano(),
	}
	for i := range symbols {
		name := fmt.Sprintf("SYM%d", i)
		t.symbols = append(t.symbols, name)
		t.seqs[name] = new([feed.Channels]uint64)
		t.prices[name] = feed.Price(10_000 + 1000*i)
	}
	t.clock()
	for _, name := range t.symbols {
		t.keyframe(name)
	}
	return t
}

func (t *tape) add(lane int, symbol string, r feed.Record) {
	t.lanes[lane] = append(t.lanes[lane], fanout.Record{
		Record: r, Symbol: symbol, Offset: int64(len(t.lanes[lane])),
	})
}

func (t *tape) lane(symbol string) int { return feed.Lane(symbol, len(t.lanes)) }

// clock writes a clock to each lane.
func (t *tape) clock() {
	for lane := range t.lanes {
		n := 0
		for _, s := range t.symbols {
			if t.lane(s) == lane {
				n++
			}
		}
		t.add(lane, "", feed.Record{Kind: feed.KindClock, Clock: feed.Clock{TS: t.ts, Tape: testTape, Symbols: n}})
	}
}

func (t *tape) keyframe(symbol string) {
	t.add(t.lane(symbol), symbol, feed.Record{Kind: feed.KindKeyframe, Keyframe: &feed.Keyframe{
		TS: t.ts, Tape: testTape,
		Instrument: feed.Instrument{Symbol: symbol, Name: symbol, Class: feed.Stock, Tick: 1, Lot: 1, Decimals: 2},
	}})
}

// step lets tape time pass and writes one random tick.
func (t *tape) step(most time.Duration) {
	t.ts += t.rand.Int64N(int64(most) + 1)
	symbol := t.symbols[t.rand.IntN(len(t.symbols))]
	kind := feed.KindTrade
	switch n := t.rand.IntN(100); {
	case n < 2:
		kind = feed.KindStatus
	case n < 4:
		kind = feed.KindCancel
	case n < 50:
		kind = feed.KindQuote
	}
	t.tick(symbol, kind)
}

// tick writes a tick of that kind.
func (t *tape) tick(symbol string, kind feed.Kind) {
	tick := feed.Tick{TS: t.ts, Kind: kind, Side: feed.Buy}
	switch kind {
	case feed.KindStatus:
		tick.Note = &feed.Note{State: feed.Halted, Reason: "LULD"}
	case feed.KindCancel:
		tick.Note = &feed.Note{Ref: 1, OldPrice: 5, OldSize: 6}
	case feed.KindQuote:
		tick.Ask, tick.AskSize = t.prices[symbol]+1, 100
	}
	seqs := t.seqs[symbol]
	channel := tick.Kind.Channel()
	seqs[channel]++
	tick.Seq = seqs[channel]
	if channel != feed.Statuses {
		t.prices[symbol] += feed.Price(t.rand.IntN(21) - 10)
		tick.Price, tick.Size = t.prices[symbol], feed.Size(1+t.rand.IntN(500))
	}
	t.add(t.lane(symbol), symbol, feed.Record{Kind: tick.Kind, Tick: tick})
}

// sum returns the merge of a symbol's trades with seqs in (after, last].
func (t *tape) sum(symbol string, after, last uint64) charts.Bar {
	var b charts.Bar
	for i := range t.lanes[t.lane(symbol)] {
		r := &t.lanes[t.lane(symbol)][i]
		if r.Symbol == symbol && r.Kind == feed.KindTrade && r.Tick.Seq > after && r.Tick.Seq <= last {
			b.Add(&r.Tick)
		}
	}
	return b
}

// feeder hands a tape to a hub in batches of its own choosing.
type feeder struct {
	tape *tape
	hub  *fanout.Hub
	rand *rand.Rand
	next []int64
}

func (f *feeder) batch(lane int, most int) *fanout.Batch {
	have := f.tape.lanes[lane][f.next[lane]:]
	n := min(len(have), most)
	if n == 0 {
		return nil
	}
	f.next[lane] += int64(n)
	// A copy: a broken hub must not break the tape that it is held against.
	return &fanout.Batch{Lane: lane, Records: slices.Clone(have[:n]), Next: f.next[lane], End: int64(len(f.tape.lanes[lane]))}
}

// feed ingests some of what is new, and publishes it.
func (f *feeder) feed(most int) error {
	for lane := range f.next {
		if b := f.batch(lane, f.rand.IntN(most+1)); b != nil {
			if err := f.hub.Ingest(b); err != nil {
				return err
			}
		}
	}
	f.hub.Publish()
	return nil
}

// all ingests everything that is new.
func (f *feeder) all() error {
	for lane := range f.next {
		if b := f.batch(lane, 1<<30); b != nil {
			if err := f.hub.Ingest(b); err != nil {
				return err
			}
		}
	}
	f.hub.Publish()
	return nil
}
