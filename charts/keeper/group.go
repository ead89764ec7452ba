package keeper

import (
	"context"
	"errors"
)

// ErrTruncated is what Claim.Read wraps when a lane ends before the offset to
// read from: the tape was rebuilt or replaced. The keeper then begins the lane
// anew.
var ErrTruncated = errors.New("the lane ends before the offset to read from")

// Group is the ticks topic, read as a member of a consumer group.
type Group interface {
	// Run calls work in a goroutine of its own for each lane that the group gives
	// to this member, with the offset that was committed for the lane, or -1. The
	// context of a call ends when the lane is taken away; Run waits for the call
	// to return before the lane is given to another. Run ends with ctx or with
	// the first error of a call whose context had not ended.
	Run(ctx context.Context, work func(ctx context.Context, lane int, start int64, c Claim) error) error
}

// Claim is a lane that this member of the group has for the time being.
type Claim interface {
	// Read calls handle with the records of the lane from an offset on, in order,
	// as many as are there but at least one. It returns when ctx ends, handle
	// fails or the lane is truncated (see ErrTruncated). The records are valid
	// during the call only. Where the first ones are gone it begins with the
	// oldest there is.
	Read(ctx context.Context, from int64, handle func([]Record) error) error
	// Commit makes next the offset with which the lane's next claim starts.
	Commit(next int64) error
}

// Record is a record of a lane of the ticks topic.
type Record struct {
	Offset     int64
	Key, Value []byte
}

// Sink is the bars topic, with as many lanes as the ticks topic. The keeper
// calls it from one goroutine at a time.
type Sink interface {
	// Append copies a record into the lane's buffer. ts is ns UTC.
	Append(lane int, ts int64, key, value []byte)
	// Flush writes what is buffered and returns when all of it is safe. It
	// retries for as long as ctx lasts, and then keeps what is left for the next
	// Flush. Another error is final.
	Flush(ctx context.Context) error
}
