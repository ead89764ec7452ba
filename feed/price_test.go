package feed_test

import (
	"math"
	"strings"
	"testing"

	"github.com/tapecast/tapecast/feed"
)

func TestAppendPriceAndSize(t *testing.T) {
	for _, c := range []struct {
		v           int64
		decimals    uint8
		price, size string
	}{
		{0, 0, "0", "0"},
		{0, 2, "0.00", "0"},
		{5, 2, "0.05", "0.05"},
		{50, 2, "0.50", "0.5"},
		{100, 2, "1.00", "1"},
		{18942, 2, "189.42", "189.42"},
		{18940, 2, "189.40", "189.4"},
		{-18942, 2, "-189.42", "-189.42"},
		{-5, 2, "-0.05", "-0.05"},
		{-500, 2, "-5.00", "-5"},
		{1000, 0, "1000", "1000"},
		{100000, 5, "1.00000", "1"},
		{123456789, 8, "1.23456789", "1.23456789"},
		{1, 9, "0.000000001", "0.000000001"},
		{math.MaxInt64, 0, "9223372036854775807", "9223372036854775807"},
		{math.MaxInt64, 9, "9223372036.854775807", "9223372036.854775807"},
		{math.MinInt64, 9, "-9223372036.854775808", "-9223372036.854775808"},
	} {
		if got := string(feed.AppendPrice([]byte("p="), feed.Price(c.v), c.decimals)); got != "p="+c.price {
			t.Errorf("price %d at %d decimals is %s, want %s", c.v, c.decimals, got, c.price)
		}
		if got := string(feed.AppendSize([]byte("v="), feed.Size(c.v), c.decimals)); got != "v="+c.size {
			t.Errorf("size %d at scale %d is %s, want %s", c.v, c.decimals, got, c.size)
		}
	}
}

func TestParseFixed(t *testing.T) {
	for _, c := range []struct {
		s        string
		decimals uint8
		want     int64
	}{
		{"189.42", 2, 18942},
		{"189.4", 2, 18940},
		{"189", 2, 18900},
		{"189.420", 2, 18942},
		{"-0.05", 2, -5},
		{"+1.5", 1, 15},
		{".5", 1, 5},
		{"1e3", 0, 1000},
		{"25e-2", 2, 25},
		{"0.000000001", 9, 1},
		{"9223372036.854775807", 9, math.MaxInt64},
		{"-9223372036.854775807", 9, -math.MaxInt64},
	} {
		got, err := feed.ParseFixed(c.s, c.decimals)
		if err != nil || got != c.want {
			t.Errorf("%q at %d decimals is %d, %v, want %d", c.s, c.decimals, got, err, c.want)
		}
	}
}

func TestParseFixedRefuses(t *testing.T) {
	for _, c := range []struct {
		s        string
		decimals uint8
		want     string
	}{
		{"", 2, "not a decimal number"},
		{"abc", 2, "not a decimal number"},
		{"1,5", 2, "not a decimal number"},
		{"1.2.3", 2, "not a decimal number"},
		{"NaN", 2, "not a decimal number"},
		{"1e999999999", 2, "not a decimal number"},
		{"1e-999999999", 2, "not a decimal number"},
		{"189.425", 2, "more than 2 decimals"},
		{"1e-3", 2, "more than 2 decimals"},
		{"9223372036.854775808", 9, "out of range"},
		{"-9223372036.854775808", 9, "out of range"},
		{"1e18", 9, "out of range"},
	} {
		got, err := feed.ParseFixed(c.s, c.decimals)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q at %d decimals gave %d, %v, want an error with %q", c.s, c.decimals, got, err, c.want)
		}
	}
}

// FuzzFixed: what is written is read as the same number.
func FuzzFixed(f *testing.F) {
	for _, v := range []int64{0, 1, -1, 10, 18942, math.MaxInt64, -math.MaxInt64} {
		f.Add(v, uint8(2))
	}
	f.Fuzz(func(t *testing.T, v int64, decimals uint8) {
		decimals %= feed.MaxDecimals + 1
		if v == math.MinInt64 {
			return // the one number that ParseFixed refuses, so that every value can be negated
		}
		price := string(feed.AppendPrice(nil, feed.Price(v), decimals))
		size := string(feed.AppendSize(nil, feed.Size(v), decimals))
		for _, s := range []string{price, size} {
			if got, err := feed.ParseFixed(s, decimals); err != nil || got != v {
				t.Fatalf("%d at %d decimals is written %s and read %d, %v", v, decimals, s, got, err)
			}
		}
		if strings.Contains(size, ".") && strings.HasSuffix(size, "0") {
			t.Fatalf("%s is not the shortest form", size)
		}
	})
}

// FuzzParseFixed: no text panics, and what is read is written as an equal number.
func FuzzParseFixed(f *testing.F) {
	for _, s := range []string{"189.42", "-0.05", "1e3", "1e-40", ".", "-", "+", "1e", "0x10", "1_000"} {
		f.Add(s, uint8(2))
	}
	f.Fuzz(func(t *testing.T, s string, decimals uint8) {
		decimals %= feed.MaxDecimals + 1
		v, err := feed.ParseFixed(s, decimals)
		if err != nil {
			return
		}
		again, err := feed.ParseFixed(string(feed.AppendPrice(nil, feed.Price(v), decimals)), decimals)
		if err != nil || again != v {
			t.Fatalf("%q is %d, then %d, %v", s, v, again, err)
		}
	})
}
