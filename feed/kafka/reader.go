package kafka

import (
	"context"
	"fmt"

	"golang.org/x/sync/errgroup"

	"github.com/tapecast/tapecast/feed"
)

// Record is one record of a lane.
type Record struct {
	// Lane is the partition.
	Lane int
	// Offset within the lane.
	Offset int64
	// Time is the record's CreateTime in ns, of which Kafka keeps whole ms.
	Time int64
	// Key and Value. Nothing and an empty slice can't be told apart: a tombstone
	// reads as a Value of length 0.
	Key, Value []byte
}

// Batch is what one fetch of one lane brought. Records and what they point to
// belong to the reader and are valid during the call only.
type Batch struct {
	// Lane is the partition.
	Lane int
	// Records in order of their offsets; at least one.
	Records []Record
	// First is the offset of the first record, Next the offset to read on from.
	First, Next int64
	// End is the next offset to be written to the lane, as last known: a
	// reader has caught up when Next reaches it.
	End int64
	// SkippedFrom is -1, or the offset that was to come: the records in
	// [SkippedFrom, First) are gone, by retention or compaction.
	SkippedFrom int64
}

// ReaderOptions of a Reader.
type ReaderOptions struct {
	Conn
	// Topic must have Lanes lanes.
	Topic string
	Lanes int
	// From is where to start, one offset per lane.
	From feed.Position
}

// Reader reads all lanes of a topic from a position on, without a consumer
// group. A topic that does not exist yet is waited for.
type Reader struct {
	options ReaderOptions
}

// NewReader checks the options. It does not connect.
func NewReader(o ReaderOptions) (*Reader, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	if len(o.From) != o.Lanes || o.Lanes < 1 {
		return nil, fmt.Errorf("kafka: a position of %d lanes does not fit %q with %d lanes", len(o.From), o.Topic, o.Lanes)
	}
	return &Reader{options: o}, nil
}

// Run reads until ctx ends, handle fails or a lane is truncated, and returns
// which: ctx's error, handle's first error, or one that wraps ErrTruncated. It
// calls handle in order for one lane, and from several goroutines for different
// lanes. It goes through outages by itself, without loss or repetition.
func (r *Reader) Run(ctx context.Context, handle func(Batch) error) error {
	group, ctx := errgroup.WithContext(ctx)
	for lane, from := range r.options.From {
		reader := newLaneReader(r.options.Conn, r.options.Topic, lane, from)
		group.Go(func() error { return reader.run(ctx, handle, never) })
	}
	return group.Wait()
}

func never() bool { return false }
