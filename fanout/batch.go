package fanout

import (
	"sync"
	"sync/atomic"

	"github.com/tapecast/tapecast/charts"
	"github.com/tapecast/tapecast/feed"
)

// Batch is what a reader of the tape hands to Hub.Ingest: decoded records of one
// lane, in order, or closed windows from the history. The hub has finished with
// it when Ingest returns.
type Batch struct {
	Lane    int
	Records []Record
	Next    int64 // the offset after the last record, decodable or not
	End     int64 // the lane's end as last known
	// Skipped says that records before the first one were gone (retention).
	Skipped bool
	Bars    []SymbolWindow
}

// Record is one record of the tape with its place and symbol. Symbol is "" for
// clocks and sessions.
type Record struct {
	feed.Record
	Offset int64
	Symbol string
	// Poison says that the record could not be decoded: the rest is not set.
	Poison bool
}

// SymbolWindow is a closed window of a symbol's history.
type SymbolWindow struct {
	Symbol string
	Lane   int
	charts.Window
}

// cut is a place between two batches: what every flush ends with.
type cut struct {
	tape   feed.TapeID
	pos    feed.Position
	time   int64   // tape time, ns UTC: of the lane that is behind most
	newest int64   // tape time of the newest record, ns UTC
	steps  []int64 // each lane's time, in whole steps of grid; nil: look it up

	once   sync.Once
	cursor string
}

// text returns the cut's cursor, made at the first call.
func (c *cut) text() string {
	c.once.Do(func() { c.cursor = Cursor{Tape: c.tape, Place: Place{Position: c.pos}}.String() })
	return c.cursor
}

// pass is what one batch of ingest changed, for the shards. The passes are a
// linked list: each shard follows it at its own pace and the collector frees
// what all have passed.
type pass struct {
	cut      *cut
	marks    []mark
	attached []attachment
	stale    []int // lanes that have become so
	next     atomic.Pointer[pass]
}

// mark says how far a stream has grown.
type mark struct {
	stream *Stream
	head   int64
}

// attachment gives a shard a stream that it asked for.
type attachment struct {
	stream *Stream
	shard  int
	head   int64
}
