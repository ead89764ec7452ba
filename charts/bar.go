package charts

import "github.com/tapecast/tapecast/feed"

// Bar is the merge of a range of a symbol's trades, in the order of the tape.
// Bars of neighbouring ranges form a monoid under Merge, whose neutral element
// is the zero Bar. Prices and sizes are at the instrument's scales.
type Bar struct {
	First, Seq uint64 // the range of trade seqs it covers, both included
	Count      uint64 // trades in it; 0: the empty bar
	T0, TS     int64  // tape time of the first and the last trade, ns UTC

	Open, High, Low, Close feed.Price

	Volume   feed.Size // sum of sizes
	Turnover Turnover  // sum of price x size
	Digest   uint64    // sum of Digest over the trades, modulo 2^64
}

// FromTrade returns the bar of a single trade.
func FromTrade(t *feed.Tick) Bar {
	return Bar{
		First: t.Seq, Seq: t.Seq, Count: 1, T0: t.TS, TS: t.TS,
		Open: t.Price, High: t.Price, Low: t.Price, Close: t.Price,
		Volume: t.Size, Turnover: product(t.Price, t.Size), Digest: Digest(t.Seq, t.Price, t.Size),
	}
}

// Add merges the next trade into b. It does not allocate.
func (b *Bar) Add(t *feed.Tick) { *b = Merge(*b, FromTrade(t)) }

// Merge returns the bar of two neighbouring ranges, a before b. It is
// associative; the zero Bar on either side changes nothing.
func Merge(a, b Bar) Bar {
	if a.Count == 0 {
		return b
	}
	if b.Count == 0 {
		return a
	}
	return Bar{
		First: a.First, Seq: b.Seq, Count: a.Count + b.Count, T0: a.T0, TS: b.TS,
		Open: a.Open, High: max(a.High, b.High), Low: min(a.Low, b.Low), Close: b.Close,
		Volume: a.Volume + b.Volume, Turnover: a.Turnover.Plus(b.Turnover), Digest: a.Digest + b.Digest,
	}
}

// Digest is the hash of one trade's content. The digest of a range is the sum
// over its trades, so that it merges by addition and two ranges with the same
// digest hold the same trades, not only the same numbers. The mixing function is
// the finaliser of splitmix64 (Steele, Lea, Flood 2014), chained.
func Digest(seq uint64, price feed.Price, size feed.Size) uint64 {
	return mix(mix(mix(seq)+uint64(price)) + uint64(size))
}

func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
