package feed_test

import (
	"strings"
	"testing"

	"github.com/tapecast/tapecast/feed"
)

func TestValidSymbol(t *testing.T) {
	for _, s := range []string{"A", "AAPL", "BRK.B", "BTCUSDT", "EUR/USD", "X-1_2", "0", strings.Repeat("Z", 24)} {
		if !feed.ValidSymbol(s) {
			t.Errorf("%q is refused", s)
		}
	}
	for _, s := range []string{
		"", "aapl", "A B", "A,B", "A\"", "A\\", "A*", "*", "A%", "A&B", "A=", "A+", "A?", "A#", "É", "A\x00", "A\n",
		strings.Repeat("Z", 25),
	} {
		if feed.ValidSymbol(s) {
			t.Errorf("%q is taken", s)
		}
	}
}

func TestPositionCovers(t *testing.T) {
	p := feed.Position{3, 5}
	for _, c := range []struct {
		q    feed.Position
		want bool
	}{
		{feed.Position{3, 5}, true},
		{feed.Position{0, 0}, true},
		{feed.Position{3, 6}, false},
		{feed.Position{4, 0}, false},
		{feed.Position{3}, false},
		{feed.Position{3, 5, 0}, false},
		{nil, false},
	} {
		if got := p.Covers(c.q); got != c.want {
			t.Errorf("%v covers %v: %v", p, c.q, got)
		}
	}
}

func TestPositionClone(t *testing.T) {
	p := feed.Position{1, 2}
	q := p.Clone()
	q[0] = 9
	if p[0] != 1 {
		t.Error("the clone shares memory with the original")
	}
}

func TestWords(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{feed.Stock.String(), "stock"},
		{feed.Crypto.String(), "crypto"},
		{feed.Class(9).String(), "class(9)"},
		{feed.Trades.String(), "trades"},
		{feed.Quotes.String(), "quotes"},
		{feed.Statuses.String(), "statuses"},
		{feed.Trading.String(), "trading"},
		{feed.Halted.String(), "halted"},
		{feed.TapeID(0xc0ffee).String(), "0000000000c0ffee"},
		{feed.TapeID(0).String(), "0000000000000000"},
		{feed.TapeID(1<<64 - 1).String(), "ffffffffffffffff"},
	} {
		if c.got != c.want {
			t.Errorf("got %q, want %q", c.got, c.want)
		}
	}
	for kind, want := range map[feed.Kind]feed.Channel{
		feed.KindTrade: feed.Trades, feed.KindQuote: feed.Quotes, feed.KindStatus: feed.Statuses,
		feed.KindCorrection: feed.Statuses, feed.KindCancel: feed.Statuses,
	} {
		if got := kind.Channel(); got != want {
			t.Errorf("kind %d is numbered with the %v", kind, got)
		}
	}
}

func TestParseClass(t *testing.T) {
	for _, class := range []feed.Class{feed.Stock, feed.Crypto} {
		if got, err := feed.ParseClass(class.String()); err != nil || got != class {
			t.Errorf("%v became %v, %v", class, got, err)
		}
	}
	if _, err := feed.ParseClass("bond"); err == nil || !strings.Contains(err.Error(), "bond") {
		t.Errorf("class bond: %v", err)
	}
}
