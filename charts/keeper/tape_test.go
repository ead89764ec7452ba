package keeper_test

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/tapecast/tapecast/charts"
	"github.com/tapecast/tapecast/charts/keeper"
	"github.com/tapecast/tapecast/feed"
)

// 2025-11-24 14:30:00 UTC.
const instant int64 = 1763994600000000000

const minute = int64(time.Minute)

// tape writes the records of one lane.
type tape struct {
	id      feed.TapeID
	records []keeper.Record
	ts      int64
	seqs    map[string]uint64
	price   feed.Price
}

func newTape(ts int64) *tape { return &tape{id: 1, ts: ts, seqs: map[string]uint64{}, price: 18900} }

func (p *tape) write(key string, value []byte) {
	p.records = append(p.records, keeper.Record{Offset: int64(len(p.records)), Key: []byte(key), Value: value})
}

// trade writes the next trade of a symbol at the tape's time.
func (p *tape) trade(symbol string) {
	p.seqs[symbol]++
	p.price++
	p.write(symbol, feed.AppendTick(nil, &feed.Tick{
		Kind: feed.KindTrade, Seq: p.seqs[symbol], TS: p.ts, Price: p.price, Size: 100 + feed.Size(p.seqs[symbol]),
	}))
}

func (p *tape) quote(symbol string) {
	p.write(symbol, feed.AppendTick(nil, &feed.Tick{Kind: feed.KindQuote, Seq: uint64(len(p.records) + 1), TS: p.ts, Price: 1, Ask: 2}))
}

func (p *tape) clock() {
	p.write("", feed.AppendClock(nil, &feed.Clock{TS: p.ts, Tape: p.id, Symbols: len(p.seqs)}))
}

// randomTape writes about n records over some minutes with all that can be wrong
// with a tape: repeats, holes, poison, quiet minutes.
func randomTape(r *rand.Rand, lane, n int) *tape {
	p := newTape(instant + r.Int64N(minute))
	for range n {
		p.ts += r.Int64N(4 * minute / int64(n))
		symbol := fmt.Sprintf("S%d.%d", lane, min(r.IntN(4), r.IntN(4)))
		switch kind := r.IntN(40); {
		case kind < 22:
			p.trade(symbol)
		case kind < 30:
			p.quote(symbol)
		case kind < 35:
			p.clock()
		case kind == 35:
			p.seqs[symbol] += uint64(r.IntN(3)) // a hole
		case kind == 36:
			p.write(symbol, []byte{0xff, byte(r.Uint32())})
		case kind == 37:
			p.ts += minute
		case len(p.records) > 0:
			again := p.records[r.IntN(len(p.records))]
			p.write(string(again.Key), again.Value)
		}
	}
	return p
}

// reference computes the closed windows of a lane that is read from its offset
// 0, in another way than the keeper: symbol by symbol, trade by trade.
func reference(lane int, records []keeper.Record) map[string]charts.Window {
	windows, last := map[string]charts.Window{}, map[string]uint64{}
	var newest int64
	for _, r := range records {
		var record feed.Record
		if feed.Decode(r.Value, &record) != nil {
			continue
		}
		newest = max(newest, record.TS())
		if record.Kind != feed.KindTrade || record.Tick.Seq <= last[string(r.Key)] {
			continue
		}
		last[string(r.Key)] = record.Tick.Seq
		start := charts.Minute.Floor(record.Tick.TS)
		id := fmt.Sprintf("%d/%s/%d", lane, r.Key, start)
		w, ok := windows[id]
		if !ok {
			w = charts.Window{Interval: charts.Minute, Start: start, Next: closedBy(records, start+minute)}
		}
		w.Add(&record.Tick)
		windows[id] = w
	}
	for id, w := range windows {
		if w.End() > newest {
			delete(windows, id)
		}
	}
	return windows
}

// closedBy returns the offset after the first record that has reached ts.
func closedBy(records []keeper.Record, ts int64) int64 {
	for _, r := range records {
		var record feed.Record
		if feed.Decode(r.Value, &record) == nil && record.TS() >= ts {
			return r.Offset + 1
		}
	}
	return 0
}

// startsWhole drops what a keeper does not write of a lane that it reads from
// its beginning: windows of the first minute without the symbol's first trade.
func startsWhole(windows map[string]charts.Window, first int64) map[string]charts.Window {
	for id, w := range windows {
		if w.Start == charts.Minute.Floor(first) && w.First != 1 {
			delete(windows, id)
		}
	}
	return windows
}
