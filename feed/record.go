package feed

import "strconv"

// TapeID tells one tape from another. It is random, given when a tape begins,
// and repeated in clocks, keyframes, sessions and cursors. 0 is no tape.
type TapeID uint64

// String returns the id as 16 hexadecimal digits, its form in messages.
func (id TapeID) String() string {
	s := strconv.FormatUint(uint64(id), 16)
	return "0000000000000000"[len(s):] + s
}

// Clock is a record of a lane that carries its time on when nothing trades.
type Clock struct {
	TS   int64 // tape time, ns UTC
	Tape TapeID
	// Symbols is how many symbols the lane has now; a reader that has seen a
	// keyframe of as many knows the whole lane.
	Symbols int
}

// Keyframe is all that a reader needs to know of a symbol to begin in the
// middle of a tape.
type Keyframe struct {
	TS         int64 // tape time, ns UTC
	Tape       TapeID
	Instrument Instrument // its Symbol is the record's key
	Trade      Tick       // the last one; Kind 0 if there was none yet
	Quote      Tick       // the last one; Kind 0 if there was none yet
	Status     Tick       // the last one; Kind 0 if there was none yet
	NoteSeq    uint64     // the last seq of the statuses channel
	// Day is the bar of the UTC day so far in the codec of package charts, empty
	// before the day's first trade. Owned by the record.
	Day []byte
}

// Session is written to each lane when a feeder starts.
type Session struct {
	TS       int64 // tape time, ns UTC
	Tape     TapeID
	Seed     uint64
	Start    int64  // market time at which the session began, ns UTC
	Scenario string // at most 255 bytes; "" is the plain market
}

// Record is any record of the tape, decoded: the field that Kind names is set.
type Record struct {
	Kind     Kind
	Tick     Tick
	Clock    Clock
	Keyframe *Keyframe
	Session  *Session
}

// TS returns the record's tape time, ns UTC.
func (r *Record) TS() int64 {
	switch r.Kind {
	case KindClock:
		return r.Clock.TS
	case KindKeyframe:
		return r.Keyframe.TS
	case KindSession:
		return r.Session.TS
	default:
		return r.Tick.TS
	}
}
