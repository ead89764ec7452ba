package charts_test

import (
	"fmt"
	"math/big"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"

	"github.com/tapecast/tapecast/charts"
	"github.com/tapecast/tapecast/feed"
)

// A fixed instant, 2025-11-24 14:30:00 UTC, a multiple of every interval but the day.
const instant int64 = 1763994600000000000

// randomTrades returns n trades of one symbol in the order of the tape, from seq.
func randomTrades(r *rand.Rand, seq uint64, n int) []feed.Tick {
	trades := make([]feed.Tick, n)
	ts := instant
	for i := range trades {
		ts += r.Int64N(int64(charts.Minute) / 8)
		trades[i] = feed.Tick{
			Kind: feed.KindTrade, Seq: seq + uint64(i), TS: ts,
			Price: feed.Price(18900 + r.Int64N(200)), Size: feed.Size(1 + r.Int64N(1000)),
		}
	}
	return trades
}

// plain computes the bar of trades field by field, without Merge.
func plain(trades []feed.Tick) charts.Bar {
	if len(trades) == 0 {
		return charts.Bar{}
	}
	first, last := &trades[0], &trades[len(trades)-1]
	b := charts.Bar{
		First: first.Seq, Seq: last.Seq, Count: uint64(len(trades)), T0: first.TS, TS: last.TS,
		Open: first.Price, High: first.Price, Low: first.Price, Close: last.Price,
	}
	turnover := new(big.Int)
	for i := range trades {
		t := &trades[i]
		b.High, b.Low = max(b.High, t.Price), min(b.Low, t.Price)
		b.Volume += t.Size
		b.Digest += charts.Digest(t.Seq, t.Price, t.Size)
		turnover.Add(turnover, new(big.Int).Mul(big.NewInt(int64(t.Price)), big.NewInt(int64(t.Size))))
	}
	b.Turnover = fromBig(turnover)
	return b
}

// merger is the signature of charts.Merge.
type merger func(a, b charts.Bar) charts.Bar

// mergeRandomly merges bars in an order that r chooses: any bracketing.
func mergeRandomly(r *rand.Rand, merge merger, bars []charts.Bar) charts.Bar {
	switch len(bars) {
	case 0:
		return charts.Bar{}
	case 1:
		return bars[0]
	}
	cut := 1 + r.IntN(len(bars)-1)
	return merge(mergeRandomly(r, merge, bars[:cut]), mergeRandomly(r, merge, bars[cut:]))
}

// checkMerge is the promise of package charts as a check: however trades are cut
// into ranges, empty ones among them, and in whatever order the neighbours are
// merged, the bar is the bar of all trades.
func checkMerge(r *rand.Rand, merge merger, trades []feed.Tick) error {
	var parts []charts.Bar
	for rest := trades; len(rest) > 0; {
		n := r.IntN(min(len(rest), 5) + 1)
		part := charts.Bar{}
		for i := range rest[:n] {
			part = merge(part, charts.FromTrade(&rest[i]))
		}
		parts = append(parts, part)
		rest = rest[n:]
	}
	got, want := mergeRandomly(r, merge, parts), plain(trades)
	if got != want {
		return fmt.Errorf("%d trades in %d parts\n got %+v\nwant %+v", len(trades), len(parts), got, want)
	}
	return nil
}

func TestMergeOfAnySplit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		trades := randomTrades(r, rapid.Uint64Range(1, 1<<40).Draw(t, "seq"), rapid.IntRange(0, 50).Draw(t, "n"))
		if err := checkMerge(r, charts.Merge, trades); err != nil {
			t.Fatal(err)
		}
	})
}

// TestTheCheckFindsBrokenMerges: a check that can't fail proves nothing.
func TestTheCheckFindsBrokenMerges(t *testing.T) {
	for name, breakIt := range map[string]func(merged *charts.Bar, a, b charts.Bar){
		"drops the low":              func(m *charts.Bar, a, _ charts.Bar) { m.Low = a.Low },
		"drops the high":             func(m *charts.Bar, _, b charts.Bar) { m.High = b.High },
		"loses one unit of volume":   func(m *charts.Bar, _, _ charts.Bar) { m.Volume-- },
		"loses a trade":              func(m *charts.Bar, _, _ charts.Bar) { m.Count-- },
		"keeps the first close":      func(m *charts.Bar, a, _ charts.Bar) { m.Close = a.Close },
		"takes the last open":        func(m *charts.Bar, _, b charts.Bar) { m.Open = b.Open },
		"forgets a digest":           func(m *charts.Bar, a, _ charts.Bar) { m.Digest = a.Digest },
		"forgets a turnover":         func(m *charts.Bar, _, b charts.Bar) { m.Turnover = b.Turnover },
		"starts at the wrong seq":    func(m *charts.Bar, _, b charts.Bar) { m.First = b.First },
		"ends at the wrong time":     func(m *charts.Bar, a, _ charts.Bar) { m.TS = a.TS },
		"swaps the neighbours' ends": func(m *charts.Bar, a, b charts.Bar) { m.Seq, m.T0 = a.Seq, b.T0 },
	} {
		t.Run(name, func(t *testing.T) {
			broken := func(a, b charts.Bar) charts.Bar {
				m := charts.Merge(a, b)
				if a.Count > 0 && b.Count > 0 {
					breakIt(&m, a, b)
				}
				return m
			}
			r := rand.New(rand.NewPCG(7, 7))
			for range 20 {
				if checkMerge(r, broken, randomTrades(r, 1, 30)) != nil {
					return
				}
			}
			t.Error("not caught in 20 rounds")
		})
	}
}

// drawBar draws a bar of any content, as corrections and foreign tapes may bring.
func drawBar(t *rapid.T, label string) charts.Bar {
	n := func(what string) int64 { return rapid.Int64().Draw(t, label+" "+what) }
	if rapid.IntRange(0, 4).Draw(t, label+" empty") == 0 {
		return charts.Bar{}
	}
	return charts.Bar{
		First: uint64(n("first")), Seq: uint64(n("seq")), Count: uint64(rapid.Uint32Range(1, 1<<31).Draw(t, label+" count")),
		T0: n("t0"), TS: n("ts"), Open: feed.Price(n("open")), High: feed.Price(n("high")), Low: feed.Price(n("low")),
		Close: feed.Price(n("close")), Volume: feed.Size(n("volume")),
		Turnover: charts.Turnover{Hi: n("hi"), Lo: uint64(n("lo"))}, Digest: uint64(n("digest")),
	}
}

func TestMergeIsAMonoid(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b, c := drawBar(t, "a"), drawBar(t, "b"), drawBar(t, "c")
		left := charts.Merge(charts.Merge(a, b), c)
		right := charts.Merge(a, charts.Merge(b, c))
		if left != right {
			t.Fatalf("(ab)c = %+v\na(bc) = %+v", left, right)
		}
		if got := charts.Merge(a, charts.Bar{}); got != a {
			t.Fatalf("a and nothing = %+v, want %+v", got, a)
		}
		if got := charts.Merge(charts.Bar{}, a); got != a {
			t.Fatalf("nothing and a = %+v, want %+v", got, a)
		}
	})
}

func TestAddIsAFold(t *testing.T) {
	trades := randomTrades(rand.New(rand.NewPCG(1, 2)), 17, 40)
	var b charts.Bar
	for i := range trades {
		b.Add(&trades[i])
		if want := plain(trades[:i+1]); b != want {
			t.Fatalf("after %d trades\n got %+v\nwant %+v", i+1, b, want)
		}
	}
}

// TestDigestIsFixed holds the values that other implementations (the page's, the
// checkers') must reproduce.
func TestDigestIsFixed(t *testing.T) {
	for _, c := range []struct {
		seq   uint64
		price feed.Price
		size  feed.Size
		want  uint64
	}{
		{0, 0, 0, 0x238275bc38fcbe91},
		{1, 18942, 100, 0xc87edac0f8903d37},
		{1234, 18942, 100, 0xc9a08b3cc67a0741},
		{1234, 18943, 100, 0x2b2a8a50069294b1},
		{1234, 18942, 101, 0xe8a9387604b04b9b},
		{1, -3763, 1, 0x7bfbc2b020bbed8c},
		{1<<64 - 1, 1<<63 - 1, 1<<63 - 1, 0x9f741a1223250b5e},
	} {
		if got := charts.Digest(c.seq, c.price, c.size); got != c.want {
			t.Errorf("digest of seq %d, price %d, size %d is %#016x, want %#016x", c.seq, c.price, c.size, got, c.want)
		}
	}
}

// TestDigestTellsTradesApart: close-by trades, the likely mistakes, never collide.
func TestDigestTellsTradesApart(t *testing.T) {
	seen := make(map[uint64]string)
	for seq := range uint64(20) {
		for price := range feed.Price(20) {
			for size := range feed.Size(20) {
				d := charts.Digest(seq, price-10, size)
				trade := fmt.Sprintf("(%d %d %d)", seq, price-10, size)
				if other, ok := seen[d]; ok {
					t.Fatalf("%s and %s have the same digest", other, trade)
				}
				seen[d] = trade
			}
		}
	}
}

func TestAddDoesNotAllocate(t *testing.T) {
	trade := randomTrades(rand.New(rand.NewPCG(1, 2)), 1, 1)[0]
	var b charts.Bar
	if n := testing.AllocsPerRun(100, func() { b.Add(&trade) }); n != 0 {
		t.Errorf("Add allocates %v times", n)
	}
}

func BenchmarkBarAdd(b *testing.B) {
	trade := randomTrades(rand.New(rand.NewPCG(1, 2)), 1, 1)[0]
	var bar charts.Bar
	b.ReportAllocs()
	for b.Loop() {
		bar.Add(&trade)
	}
}
