package fanout

import (
	"github.com/tapecast/tapecast/charts"
	"github.com/tapecast/tapecast/feed"
)

// State is all that is known of a symbol at one cut of the tape. It is immutable:
// readers of any goroutine share it.
type State struct {
	Instrument *feed.Instrument
	Tape       feed.TapeID
	Trade      feed.Tick // the last one; Kind 0 if there was none yet
	Quote      feed.Tick // the last one; Kind 0 if there was none yet
	Status     feed.Tick // the last one; Kind 0 if there was none yet
	// Last holds the last seq of each channel.
	Last [feed.Channels]uint64
	// Second, Minute and Day are the open windows; Count 0: none is open.
	Second, Minute, Day charts.Window
	// Next is the first offset of the symbol's lane that is not in the state.
	Next int64
}

// stateSlab is how many states share an allocation: publishing a state then
// costs no allocation of its own.
const stateSlab = 8

// slab hands out states. Ingest only.
type slab struct{ free []State }

func (s *slab) take(from *State) *State {
	if len(s.free) == 0 {
		s.free = make([]State, stateSlab)
	}
	st := &s.free[0]
	s.free = s.free[1:]
	*st = *from
	return st
}
