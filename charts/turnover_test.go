package charts_test

import (
	"math"
	"math/big"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/tapecast/tapecast/charts"
	"github.com/tapecast/tapecast/feed"
)

// fromBig returns v modulo 2^128 as a Turnover.
func fromBig(v *big.Int) charts.Turnover {
	m := new(big.Int).And(v, new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 128), big.NewInt(1)))
	lo := new(big.Int).And(m, new(big.Int).SetUint64(math.MaxUint64)).Uint64()
	return charts.Turnover{Hi: int64(new(big.Int).Rsh(m, 64).Uint64()), Lo: lo}
}

func toBig(t charts.Turnover) *big.Int {
	v := new(big.Int).Lsh(big.NewInt(t.Hi), 64)
	return v.Add(v, new(big.Int).SetUint64(t.Lo))
}

// product is the turnover of a single trade.
func product(price, size int64) charts.Turnover {
	t := feed.Tick{Kind: feed.KindTrade, Seq: 1, Price: feed.Price(price), Size: feed.Size(size)}
	return charts.FromTrade(&t).Turnover
}

func bigProduct(a, b int64) *big.Int { return new(big.Int).Mul(big.NewInt(a), big.NewInt(b)) }

func TestTurnoverIsExact(t *testing.T) {
	edges := []int64{0, 1, -1, 2, 1 << 32, -1 << 32, math.MaxInt64, math.MinInt64, math.MinInt64 + 1}
	for _, a := range edges {
		for _, b := range edges {
			if got := toBig(product(a, b)); got.Cmp(bigProduct(a, b)) != 0 {
				t.Errorf("%d x %d = %v", a, b, got)
			}
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		sum, want := charts.Turnover{}, new(big.Int)
		for range rapid.IntRange(1, 20).Draw(t, "n") {
			a, b := rapid.Int64().Draw(t, "price"), rapid.Int64().Draw(t, "size")
			sum, want = sum.Plus(product(a, b)), want.Add(want, bigProduct(a, b))
		}
		if sum != fromBig(want) {
			t.Fatalf("sum is %v, want %v", toBig(sum), want)
		}
	})
}

// decimalText writes v with that many decimals by means of its digits alone.
func decimalText(v *big.Int, decimals int) string {
	digits := new(big.Int).Abs(v).String()
	if missing := decimals + 1 - len(digits); missing > 0 {
		digits = strings.Repeat("0", missing) + digits
	}
	text := digits[:len(digits)-decimals]
	if decimals > 0 {
		text += "." + digits[len(digits)-decimals:]
	}
	if v.Sign() < 0 {
		text = "-" + text
	}
	return text
}

func TestTurnoverAppend(t *testing.T) {
	for _, c := range []struct {
		v        charts.Turnover
		decimals int
		want     string
	}{
		{charts.Turnover{}, 0, "0"},
		{charts.Turnover{}, 2, "0.00"},
		{charts.Turnover{Lo: 5}, 2, "0.05"},
		{charts.Turnover{Lo: 1894200}, 2, "18942.00"},
		{charts.Turnover{Hi: -1, Lo: math.MaxUint64}, 2, "-0.01"},
		{charts.Turnover{Hi: 1}, 0, "18446744073709551616"},
		{charts.Turnover{Hi: math.MaxInt64, Lo: math.MaxUint64}, 18, "170141183460469231731.687303715884105727"},
		{charts.Turnover{Hi: math.MinInt64}, 18, "-170141183460469231731.687303715884105728"},
	} {
		if got := string(c.v.Append([]byte("to="), c.decimals)); got != "to="+c.want {
			t.Errorf("%+v at %d decimals is %s, want %s", c.v, c.decimals, got, c.want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		v := charts.Turnover{Hi: rapid.Int64().Draw(t, "hi"), Lo: rapid.Uint64().Draw(t, "lo")}
		decimals := rapid.IntRange(0, 2*feed.MaxDecimals).Draw(t, "decimals")
		if got, want := string(v.Append(nil, decimals)), decimalText(toBig(v), decimals); got != want {
			t.Fatalf("%+v at %d decimals is %s, want %s", v, decimals, got, want)
		}
	})
}
