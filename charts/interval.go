package charts

import (
	"fmt"
	"math"
	"strings"
	"time"
)

// Interval is the length of a bar in time. Bars of an interval begin at its
// multiples since the Unix epoch, in UTC.
type Interval time.Duration

// The intervals that a chart can ask for.
const (
	Second        = Interval(time.Second)
	FiveSeconds   = Interval(5 * time.Second)
	Minute        = Interval(time.Minute)
	FiveMinutes   = Interval(5 * time.Minute)
	QuarterHour   = Interval(15 * time.Minute)
	Hour          = Interval(time.Hour)
	Day           = Interval(24 * time.Hour)
	intervalNames = "1s, 5s, 1m, 5m, 15m, 1h, 1d"
)

// Intervals returns all of them, shortest first.
func Intervals() []Interval {
	return []Interval{Second, FiveSeconds, Minute, FiveMinutes, QuarterHour, Hour, Day}
}

// String returns the interval's name in the wire protocol, as "1m".
func (i Interval) String() string {
	switch i {
	case Second:
		return "1s"
	case FiveSeconds:
		return "5s"
	case Minute:
		return "1m"
	case FiveMinutes:
		return "5m"
	case QuarterHour:
		return "15m"
	case Hour:
		return "1h"
	case Day:
		return "1d"
	default:
		return time.Duration(i).String()
	}
}

// ParseInterval is the reverse of String.
func ParseInterval(s string) (Interval, error) {
	for _, i := range Intervals() {
		if i.String() == s {
			return i, nil
		}
	}
	return 0, fmt.Errorf("interval %q must be one of %s", strings.ToValidUTF8(s, "?"), intervalNames)
}

// Floor returns the start of the interval that ts (ns UTC) lies in.
func (i Interval) Floor(ts int64) int64 {
	n := int64(i)
	r := ts % n
	if r < 0 {
		r += n
	}
	return ts - r
}

// ceil returns the first start of an interval at or after ts, or the last
// instant there is.
func (i Interval) ceil(ts int64) int64 {
	r := ts % int64(i)
	switch {
	case r <= 0:
		return ts - r
	case ts > math.MaxInt64-int64(i):
		return math.MaxInt64
	default:
		return ts - r + int64(i)
	}
}

// Base returns the interval whose bars are kept and make up those of i: seconds
// for what is shorter than a minute, else minutes.
func (i Interval) Base() Interval {
	if i < Minute {
		return Second
	}
	return Minute
}
