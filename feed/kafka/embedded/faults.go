package embedded

import (
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// LoseAcks makes the next n produce requests be written and then answered as
// timed out, as when a leader dies between the append and its answer.
func (b *Broker) LoseAcks(n int) {
	b.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.RequestTimedOut, Count: n})
}

// RefuseWrites makes the next n produce requests be answered as "not the
// leader" without being written.
func (b *Broker) RefuseWrites(n int) {
	b.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.NotLeaderForPartition, Count: n})
}

// HangUp closes the connection of the next produce request without an answer
// and without writing it.
func (b *Broker) HangUp() {
	b.cluster.ControlKey(int16(kmsg.Produce), func(kmsg.Request) (kmsg.Response, error, bool) {
		return nil, errors.New("embedded broker: told to hang up"), true
	})
}

// DeleteBefore deletes what a lane holds before offset, as retention would.
func (b *Broker) DeleteBefore(topic string, lane int, offset int64) error {
	return b.cluster.DeleteRecords(topic, int32(lane), offset)
}

// MoveLane makes another broker (0 to Options.Brokers-1) lead a lane.
func (b *Broker) MoveLane(topic string, lane, broker int) error {
	return b.cluster.MoveTopicPartition(topic, int32(lane), int32(broker))
}

// Held returns the bytes of log that a lane holds, and its first and next offset.
func (b *Broker) Held(topic string, lane int) (bytes, first, next int64, err error) {
	info := b.cluster.PartitionInfo(topic, int32(lane))
	if info == nil {
		return 0, 0, 0, fmt.Errorf("%w: %s, lane %d", errNoLane, topic, lane)
	}
	return info.NumBytes, info.LogStartOffset, info.HighWatermark, nil
}

// Compact compacts the compacted topics now.
func (b *Broker) Compact() { b.cluster.Compact() }
