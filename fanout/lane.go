package fanout

import (
	"sync/atomic"

	"github.com/tapecast/tapecast/charts"
	"github.com/tapecast/tapecast/feed"
)

// lane is what ingest knows of one lane.
type lane struct {
	next    int64        // the next offset to read
	end     int64        // the lane's end as last known
	time    int64        // tape time of the newest record, ns UTC
	now     atomic.Int64 // time as of the last pass, for readers
	staleAt atomic.Int64 // its next offset, while no record comes; 0: they come
	heard   int64        // wall time of the newest record, ns UTC
	expect  int          // symbols that the lane has, told by its clocks; -1 before one
	keyed   int          // symbols that a keyframe told of
	until   int64        // the next whole second at which bars may close
	due     int64        // the next step at which merged windows may close
	symbols []*Symbol
	memory  memory
	evicted int64        // tape time of the last eviction
	steps   recent[step] // where its steps began
	merging []*merger    // hold something that a window's end will send
}

// memory is what a lane's symbols hold, in bytes, as of the last eviction.
type memory struct{ ring, chunks int }

// step says that the record at offset was the first whose time reached ts, a
// multiple of grid, ns UTC: windows that end by then close there.
type step struct{ offset, ts int64 }

// ready reports whether every symbol of the lane is keyed.
func (l *lane) ready() bool { return l.expect >= 0 && l.keyed >= l.expect }

// advance takes over a record's tape time and offset.
func (l *lane) advance(offset, ts int64) {
	l.next = offset + 1
	if ts > l.time {
		l.time = ts
	}
}

// stepAt returns the newest step, ns UTC, that the lane had reached when all
// before offset had been read: windows that end at or before it were closed then.
// It is false for what is older than the lane remembers.
func (l *lane) stepAt(offset int64) (int64, bool) {
	v := l.steps.view()
	i := v.search(func(t *step) bool { return t.offset >= offset })
	if i == 0 {
		return 0, false
	}
	return v.at(i - 1).ts, true
}

// secondAt returns the newest whole second, ns UTC, that the lane had reached when
// all before offset had been read: windows of bars that end at or before it were
// closed then. It is false for what is older than the lane remembers.
func (l *lane) secondAt(offset int64) (int64, bool) {
	step, known := l.stepAt(offset)
	return charts.Second.Floor(step), known
}

// number checks a tick's seq against the last one of its channel: it reports
// what is missing before it, and whether the tick was seen before.
func number(last uint64, known bool, t *feed.Tick) (missing uint64, seen bool) {
	switch {
	case !known:
		return 0, false
	case t.Seq <= last:
		return 0, true
	default:
		return t.Seq - last - 1, false
	}
}
