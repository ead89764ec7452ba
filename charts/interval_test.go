package charts_test

import (
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/tapecast/tapecast/charts"
)

func TestIntervalNames(t *testing.T) {
	want := []string{"1s", "5s", "1m", "5m", "15m", "1h", "1d"}
	all := charts.Intervals()
	if len(all) != len(want) {
		t.Fatalf("%d intervals, want %d", len(all), len(want))
	}
	for i, interval := range all {
		if interval.String() != want[i] {
			t.Errorf("interval %d is %s, want %s", i, interval, want[i])
		}
		if got, err := charts.ParseInterval(want[i]); err != nil || got != interval {
			t.Errorf("%s is read as %v, %v", want[i], got, err)
		}
		if i > 0 && interval%all[i-1] != 0 {
			t.Errorf("%s is no multiple of %s", interval, all[i-1])
		}
	}
	if got := charts.Interval(90 * time.Second).String(); got != "1m30s" {
		t.Errorf("an interval of another length is written %s", got)
	}
}

func TestParseIntervalRefuses(t *testing.T) {
	for _, s := range []string{"", "1M", "60s", "2m", "1m ", "1w", "\xff"} {
		_, err := charts.ParseInterval(s)
		if err == nil || !strings.Contains(err.Error(), "must be one of 1s, 5s, 1m, 5m, 15m, 1h, 1d") {
			t.Errorf("%q: %v", s, err)
		}
	}
}

func TestFloor(t *testing.T) {
	for _, c := range []struct {
		interval charts.Interval
		ts, want int64
	}{
		{charts.Minute, instant, instant},
		{charts.Minute, instant + int64(time.Minute) - 1, instant},
		{charts.Minute, instant - 1, instant - int64(time.Minute)},
		{charts.Day, instant, time.Date(2025, 11, 24, 0, 0, 0, 0, time.UTC).UnixNano()},
		{charts.Second, 0, 0},
		{charts.Second, -1, -int64(time.Second)},
		{charts.Second, -int64(time.Second), -int64(time.Second)},
	} {
		if got := c.interval.Floor(c.ts); got != c.want {
			t.Errorf("%s: floor of %d is %d, want %d", c.interval, c.ts, got, c.want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		interval := rapid.SampledFrom(charts.Intervals()).Draw(t, "interval")
		ts := rapid.Int64Range(-1<<62, 1<<62).Draw(t, "ts")
		start := interval.Floor(ts)
		if start%int64(interval) != 0 || start > ts || ts-start >= int64(interval) {
			t.Fatalf("floor of %d is %d", ts, start)
		}
		if again := interval.Floor(start); again != start {
			t.Fatalf("floor of the floor %d is %d", start, again)
		}
	})
}

func TestBase(t *testing.T) {
	for _, interval := range charts.Intervals() {
		base := interval.Base()
		if interval%base != 0 || base != charts.Second && base != charts.Minute {
			t.Errorf("base of %s is %s", interval, base)
		}
		if base == charts.Second && interval >= charts.Minute {
			t.Errorf("base of %s is %s: seconds are kept for a short time only", interval, base)
		}
	}
}
