package kafka

import (
	"context"
	"fmt"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/tapecast/tapecast/feed"
)

// Range gives visit every record of [from, to) of each lane and returns when
// all are read, when visit fails or when ctx ends. What lies past the end of a
// lane at the time of the call is not waited for, and what retention has taken
// is left out. Lanes are read side by side, so that the order holds within a
// lane only; visit is called by one goroutine at a time, and the record is valid
// during the call.
func Range(ctx context.Context, c Conn, topic string, from, to feed.Position, visit func(Record) error) error {
	if len(from) != len(to) || len(to) == 0 {
		return fmt.Errorf("kafka: a range of %q from %d to %d lanes: both ends must name every lane", topic, len(from), len(to))
	}
	_, next, err := Offsets(ctx, c, topic, len(to))
	if err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	var turn sync.Mutex
	for lane := range to {
		until := min(to[lane], next[lane])
		reader := newLaneReader(c, topic, lane, from[lane])
		handle := func(b Batch) error {
			turn.Lock()
			defer turn.Unlock()
			return visitUntil(ctx, b.Records, until, visit)
		}
		group.Go(func() error {
			return reader.run(ctx, handle, func() bool { return reader.next >= until })
		})
	}
	return group.Wait()
}

// visitUntil visits the records before offset until, unless ctx has ended.
func visitUntil(ctx context.Context, records []Record, until int64, visit func(Record) error) error {
	if err := ctx.Err(); err != nil {
		return err // Another lane's visit has failed meanwhile.
	}
	for _, r := range records {
		if r.Offset >= until {
			break
		}
		if err := visit(r); err != nil {
			return err
		}
	}
	return nil
}

// tailWindow is the size of the first window of Tails, in records per lane.
const tailWindow = 1000

// Tails reads the topic backwards, to find the newest of something: it visits
// the last 1,000 records of each lane, then the 2,000 before those, then the
// 4,000 before those, until enough returns true or all is read. Within a window
// the records of a lane come in order, but an older window comes after a newer
// one. Each record is visited once. See Range for the rest.
func Tails(ctx context.Context, c Conn, topic string, lanes int, visit func(Record) error, enough func() bool) error {
	first, next, err := Offsets(ctx, c, topic, lanes)
	if err != nil {
		return err
	}
	to := next
	for window := int64(tailWindow); !first.Covers(to) && !enough(); window *= 2 {
		from := make(feed.Position, lanes)
		for lane := range from {
			from[lane] = max(first[lane], to[lane]-window)
		}
		if err := Range(ctx, c, topic, from, to, visit); err != nil {
			return err
		}
		to = from
	}
	return nil
}
