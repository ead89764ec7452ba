package fanout

import (
	"hash/fnv"
	"time"

	"github.com/tapecast/tapecast/charts"
	"github.com/tapecast/tapecast/feed"
)

// Level is how finely a client gets ticks. What a client asks for is its
// resolution; what it gets is a level, which is as fine at the most.
type Level uint8

// The levels, the finest first. All but Paced are streams that clients share.
const (
	Raw         Level = iota
	RawTrades         // raw trades, quotes merged per 250 ms
	Merged100ms       // trades and quotes merged per 100 ms, and so on
	Merged250ms
	Merged1s
	Merged5s
	Paced // one private merge per symbol at each chance to write
	levels
)

// levelNames are the names of the resolutions, by level.
func levelNames() [levels]string {
	return [levels]string{"raw", "raw", "100ms", "250ms", "1s", "5s", "paced"}
}

// String returns the level's name for trades.
func (l Level) String() string { return levelNames()[min(l, Paced)] }

// Quotes returns the level's name for quotes.
func (l Level) Quotes() string {
	if l == RawTrades {
		return Merged250ms.String()
	}
	return l.String()
}

// ParseResolution reads what a client may ask for.
func ParseResolution(s string) (Level, bool) {
	for _, l := range []Level{Raw, Merged100ms, Merged250ms, Merged1s, Merged5s} {
		if l.String() == s {
			return l, true
		}
	}
	return Raw, s == ""
}

// window returns how much tape time is merged, ns; 0 for Raw and Paced, which
// have no windows.
func (l Level) window() int64 {
	switch l {
	case Merged100ms:
		return int64(100 * time.Millisecond)
	case RawTrades, Merged250ms:
		return int64(250 * time.Millisecond)
	case Merged1s:
		return int64(time.Second)
	case Merged5s:
		return int64(5 * time.Second)
	default:
		return 0
	}
}

// merges reports whether ticks of a channel are merged at the level.
func (l Level) merges(c feed.Channel) bool {
	switch c {
	case feed.Trades:
		return l > RawTrades
	case feed.Quotes:
		return l > Raw
	default:
		return false
	}
}

// of returns the level of the stream that serves a set at this level: where only
// one channel is watched, a level that differs in the other is none.
func (l Level) of(set Set) Level {
	switch {
	case l == RawTrades && set == TradesOnly:
		return Raw
	case l == RawTrades && set == QuotesOnly:
		return Merged250ms
	default:
		return l
	}
}

// ofBars returns the level of a stream of bars: only the slowest ones are slower
// than barPause.
func (l Level) ofBars() Level {
	if l < Merged1s {
		return Raw
	}
	return min(l, Merged5s)
}

// coarser returns the next level down for a client of the set. Quotes go down
// before trades.
func (l Level) coarser(set Set) Level {
	switch {
	case l == Raw && set == TradesOnly:
		return Merged100ms
	case l == Raw && set == QuotesOnly, l == RawTrades:
		return Merged250ms
	default:
		return min(l+1, Paced)
	}
}

// finer is the reverse of coarser, down to what was asked for.
func (l Level) finer(set Set, asked Level) Level {
	for at := asked; at < l; {
		next := at.coarser(set)
		if next >= l {
			return at
		}
		at = next
	}
	return asked
}

// under returns a level that has sent no more than either of two, at any place.
// Levels without windows send all at once.
func (l Level) under(other Level) Level {
	low, high := l.window(), other.window()
	if low > high {
		return other.under(l)
	}
	if low != 0 && high%low != 0 {
		return Merged1s // windows of 100 and 250 ms overlap, this one's hold both
	}
	if low == high {
		return max(l, other)
	}
	return other
}

// grid is the grain of window ends, ns of tape time.
const grid = int64(10 * time.Millisecond)

// phaseOf returns by how much the windows of a symbol are shifted, ns, so that
// those of many symbols do not end at once. It depends on the name alone, so that
// windows are the same on every node.
func phaseOf(symbol string) int64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(symbol)) // never fails
	steps := uint64(Merged5s.window() / grid)
	return int64(h.Sum64()%steps) * grid
}

// windowEnd returns the end of the level's window that a tick at ts (ns UTC) of a
// symbol with that phase falls in. No window crosses a UTC minute.
func (l Level) windowEnd(phase, ts int64) int64 {
	w := l.window()
	phase %= w
	end := ts - (ts-phase)%w + w
	return min(end, charts.Minute.Floor(ts)+int64(charts.Minute))
}
