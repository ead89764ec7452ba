package feeder

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Clock is how fast market time runs: "real", a multiple of it as "60x", or
// "max" for as fast as the machine can. The zero Clock is real.
type Clock struct {
	speed float64 // market time per wall time; 0: 1
	max   bool
}

const maxSpeed = 100_000

// ParseClock reads "real", "max" or a speed as "60x".
func ParseClock(s string) (Clock, error) {
	switch s {
	case "real":
		return Clock{}, nil
	case "max":
		return Clock{max: true}, nil
	}
	number, ok := strings.CutSuffix(s, "x")
	speed, err := strconv.ParseFloat(number, 64)
	if !ok || err != nil || !(speed > 0 && speed <= maxSpeed) { // false for NaN, too
		return Clock{}, fmt.Errorf("clock %q must be real, max or a speed as 60x, at most %dx", s, maxSpeed)
	}
	return Clock{speed: speed}, nil
}

// String returns the clock as ParseClock reads it.
func (c Clock) String() string {
	switch {
	case c.max:
		return "max"
	case c.real():
		return "real"
	default:
		return strconv.FormatFloat(c.speed, 'g', -1, 64) + "x"
	}
}

func (c Clock) real() bool { return !c.max && (c.speed == 0 || c.speed == 1) }

// pace says up to which market time the market should have come.
type pace struct {
	clock Clock
	// wall says that market time is the time of the wall clock. Otherwise it is
	// a time of its own, that only runs at the clock's speed.
	wall bool
	last time.Time // of the last call of target
}

const (
	// longestTurn bounds the wall time that market time of its own makes up for
	// at once: while the tape can't be written, that market stands still.
	longestTurn = time.Second
	// maxTurn is how far a market at full speed goes between looks at ctx.
	maxTurn = int64(10 * time.Second)
)

func newPace(c Clock, wall bool) pace { return pace{clock: c, wall: wall, last: time.Now()} }

// target returns the market time that is due, ns UTC, given what it is now.
func (p *pace) target(market int64) int64 {
	now := time.Now()
	elapsed := min(now.Sub(p.last), longestTurn)
	p.last = now
	switch {
	case p.wall:
		return now.UnixNano()
	case p.clock.max:
		return market + maxTurn
	case p.clock.speed == 0:
		return market + int64(elapsed)
	default:
		return market + int64(float64(elapsed)*p.clock.speed)
	}
}
