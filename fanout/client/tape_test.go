package client

import (
	"fmt"
	"math/rand/v2"
	"strings"

	"github.com/tapecast/tapecast/charts"
	"github.com/tapecast/tapecast/feed"
)

const symbolsJSON = `{"symbols":[` +
	`{"sym":"AAPL","name":"Apple","class":"stock","tick":0.01,"lot":1,"decimals":2,"scale":0},` +
	`{"sym":"BTCUSDT","name":"Bitcoin","class":"crypto","tick":"0.10","lot":"0.00001","decimals":2,"scale":5}` +
	`],"tape":"00000000000000aa","cursor":"c0"}`

// entry is one message of a tape.
type entry struct {
	symbol  string
	channel feed.Channel
	seq     uint64
	json    string
	bar     charts.Bar // of a trade
}

// tape is a made-up tape of two symbols. The cursor of place i is "c<i>".
type tape struct {
	symbols *Symbols
	entries []entry
	seqs    map[string]*[feed.Channels]uint64
	ts      int64 // µs
}

// newTape makes a tape of n messages.
func newTape(n int) *tape {
	symbols, err := ParseSymbols([]byte(symbolsJSON))
	if err != nil {
		panic(err)
	}
	t := &tape{symbols: symbols, seqs: map[string]*[feed.Channels]uint64{}, ts: 1_764_000_000_000_000}
	r := rand.New(rand.NewPCG(1, 2))
	for range n {
		t.add(r)
	}
	return t
}

func (t *tape) add(r *rand.Rand) {
	symbol := []string{"AAPL", "BTCUSDT"}[r.IntN(2)]
	in := t.symbols.Instrument(symbol)
	if t.seqs[symbol] == nil {
		t.seqs[symbol] = new([feed.Channels]uint64)
	}
	t.ts += int64(r.IntN(50))
	price, size := feed.Price(18900+r.IntN(100)), feed.Size(1+r.IntN(1000))
	p := string(feed.AppendPrice(nil, price, in.Decimals))
	v := string(feed.AppendSize(nil, size, in.Scale))
	kind := []feed.Kind{
		feed.KindTrade, feed.KindTrade, feed.KindTrade, feed.KindTrade, feed.KindQuote, feed.KindQuote,
		feed.KindStatus, feed.KindCancel,
	}[r.IntN(8)]
	c := kind.Channel()
	t.seqs[symbol][c]++
	e := entry{symbol: symbol, channel: c, seq: t.seqs[symbol][c]}
	head := func(typ string) string {
		return fmt.Sprintf(`{"type":%q,"sym":%q,"seq":%d,"ts":%d,`, typ, symbol, e.seq, t.ts)
	}
	switch kind {
	case feed.KindTrade:
		e.json = head("trade") + fmt.Sprintf(`"p":%s,"v":%s,"side":"b"}`, p, v)
		e.bar = charts.FromTrade(&feed.Tick{Seq: e.seq, TS: t.ts * 1000, Price: price, Size: size})
	case feed.KindQuote:
		e.json = head("quote") + fmt.Sprintf(`"bp":%s,"bv":%s,"ap":%s,"av":%s}`, p, v, p, v)
	case feed.KindStatus:
		e.json = head("status") + `"state":"halted","reason":"LULD"}`
	default:
		e.json = head("cancel") + fmt.Sprintf(`"ref":1,"old":{"p":%s,"v":%s}}`, p, v)
	}
	t.entries = append(t.entries, e)
}

// snapshots returns the snapshots at a place.
func (t *tape) snapshots(at int) []string {
	last := map[string]*[feed.Channels]string{"AAPL": {}, "BTCUSDT": {}}
	for _, e := range t.entries[:at] {
		last[e.symbol][e.channel] = e.json
	}
	var all []string
	for _, symbol := range t.symbols.All() {
		parts := []string{`"type":"snapshot"`, fmt.Sprintf(`"sym":%q`, symbol), `"tape":"00000000000000aa"`}
		for c, name := range []string{"trade", "quote", "status"} {
			if j := last[symbol][c]; j != "" {
				parts = append(parts, fmt.Sprintf(`%q:%s`, name, j))
			}
		}
		all = append(all, "{"+strings.Join(parts, ",")+"}")
	}
	return all
}

// truth returns the sums of the trades first..seq of a symbol.
func (t *tape) truth(symbol string, first, seq uint64) charts.Bar {
	var sum charts.Bar
	for _, e := range t.entries {
		if e.symbol == symbol && e.channel == feed.Trades && e.seq >= first && e.seq <= seq {
			sum = charts.Merge(sum, e.bar)
		}
	}
	return sum
}

// reached reports whether a client has all of the tape.
func (t *tape) reached(tiling *Tiling) bool {
	for symbol, seqs := range t.seqs {
		for c, last := range seqs {
			if tiling.Last(symbol, feed.Channel(c)) < last {
				return false
			}
		}
	}
	return true
}

// raw returns the JSON texts of entries.
func raw(entries []entry) []string {
	all := make([]string, len(entries))
	for i, e := range entries {
		all[i] = e.json
	}
	return all
}
