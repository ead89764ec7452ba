package kafka

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/segmentio/kafka-go"
)

// GroupOptions of RunGroup.
type GroupOptions struct {
	Conn
	// Topic must exist with Lanes lanes.
	Topic string
	Lanes int
	// Group is the name under which the members share the lanes.
	Group string
}

// Claim is a lane that this member of the group has for the time being.
type Claim struct {
	// Lane is the partition.
	Lane int
	// Start is the offset last committed for the lane, the next to read; -1 if
	// nothing was committed yet.
	Start int64

	options    GroupOptions
	generation *kafka.Generation
}

// Read gives handle the batches of the lane from an offset on, in order, until
// ctx ends, handle fails or the lane is truncated; see Reader.Run.
func (c *Claim) Read(ctx context.Context, from int64, handle func(Batch) error) error {
	return newLaneReader(c.options.Conn, c.options.Topic, c.Lane, from).run(ctx, handle, never)
}

// Commit stores next as the offset at which the lane's next claim starts. It
// fails when the lane has gone to another member meanwhile.
func (c *Claim) Commit(next int64) error {
	err := c.generation.CommitOffsets(map[string]map[int]int64{c.options.Topic: {c.Lane: next}})
	if err != nil {
		return fmt.Errorf("kafka: group %q can't commit offset %d of lane %d: %w", c.options.Group, next, c.Lane, err)
	}
	return nil
}

// RunGroup joins a consumer group and runs work in a goroutine of its own for
// each lane that the group gives to this member. When lanes are given out anew,
// the contexts of all its claims end, RunGroup waits for them to return, and
// work is called again for the lanes that it has then. An error of work ends
// RunGroup, unless its context has ended; so does ctx. Work that returns nil
// early gives all lanes back, and they are given out anew.
func RunGroup(ctx context.Context, o GroupOptions, work func(ctx context.Context, c *Claim) error) error {
	lanes, err := Verify(ctx, o.Conn, o.Topic)
	if err != nil {
		return err
	}
	if err := checkLanes(o.Topic, lanes, o.Lanes); err != nil {
		return err
	}
	member, err := o.join()
	if err != nil {
		return err
	}
	defer member.Close() //nolint:errcheck // It never fails.

	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	outage := outageLog{log: o.logger().With("topic", o.Topic, "group", o.Group), what: "claimed"}
	for {
		generation, err := member.Next(ctx)
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case err != nil:
			if !errors.Is(err, kafka.RebalanceInProgress) {
				outage.note(ctx, err)
			}
			continue // kafka-go pauses by itself.
		}
		outage.over(ctx)
		o.start(ctx, generation, work, fail)
	}
}

// join makes this process a member of the group.
func (o GroupOptions) join() (*kafka.ConsumerGroup, error) {
	dialer, err := o.dialer()
	if err != nil {
		return nil, err
	}
	member, err := kafka.NewConsumerGroup(kafka.ConsumerGroupConfig{
		ID: o.Group, Brokers: o.Brokers, Topics: []string{o.Topic}, Dialer: dialer,
		HeartbeatInterval: time.Second, SessionTimeout: 6 * time.Second, RebalanceTimeout: 6 * time.Second,
		JoinGroupBackoff: 150 * time.Millisecond, Timeout: dialTimeout,
	})
	if err != nil {
		return nil, fmt.Errorf("kafka: group %q: %w", o.Group, err)
	}
	return member, nil
}

// start runs work for every lane of a generation, which owns the goroutines and
// waits for them before there is another one.
func (o GroupOptions) start(parent context.Context, g *kafka.Generation, work func(context.Context, *Claim) error, fail context.CancelCauseFunc) {
	for _, lane := range g.Assignments[o.Topic] {
		claim := &Claim{Lane: lane.ID, Start: max(lane.Offset, -1), options: o, generation: g}
		g.Start(func(ended context.Context) {
			ctx, cancel := context.WithCancel(parent)
			defer cancel()
			defer context.AfterFunc(ended, cancel)()
			if err := work(ctx, claim); err != nil && ctx.Err() == nil {
				fail(err)
			}
		})
	}
}
