package kafka

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/tapecast/tapecast/feed"
)

// Offsets returns, per lane, the offset of the oldest record that the topic
// still has, and the next offset to be written. They are equal on an empty lane.
func Offsets(ctx context.Context, c Conn, topic string, lanes int) (first, next feed.Position, err error) {
	first, next = make(feed.Position, lanes), make(feed.Position, lanes)
	wanted := make([]kafka.OffsetRequest, 0, 2*lanes)
	for lane := range lanes {
		wanted = append(wanted, kafka.FirstOffsetOf(lane), kafka.LastOffsetOf(lane))
	}
	err = list(ctx, c, topic, wanted, func(p kafka.PartitionOffsets) {
		if p.Partition < lanes {
			first[p.Partition], next[p.Partition] = p.FirstOffset, p.LastOffset
		}
	})
	if err != nil {
		return nil, nil, err
	}
	return first, next, nil
}

// At returns, per lane, the offset of the first record whose time is ts (ns) or
// later, and the next offset to be written where there is none. Kafka keeps
// times in ms, so records of the same ms as ts are included.
func At(ctx context.Context, c Conn, topic string, lanes int, ts int64) (feed.Position, error) {
	_, found, err := Offsets(ctx, c, topic, lanes)
	if err != nil {
		return nil, err
	}
	when := time.UnixMilli(floorMillis(ts))
	wanted := make([]kafka.OffsetRequest, 0, lanes)
	for lane := range lanes {
		wanted = append(wanted, kafka.TimeOffsetOf(lane, when))
	}
	err = list(ctx, c, topic, wanted, func(p kafka.PartitionOffsets) {
		for offset := range p.Offsets {
			if offset >= 0 && p.Partition < lanes { // Below zero: no such record.
				found[p.Partition] = offset
			}
		}
	})
	if err != nil {
		return nil, err
	}
	return found, nil
}

// list asks the leaders for offsets. It waits within ctx for lanes that have no
// leader for the moment, and gives every answer to use once.
func list(ctx context.Context, c Conn, topic string, wanted []kafka.OffsetRequest, use func(kafka.PartitionOffsets)) error {
	pause := backoff{low: 20 * time.Millisecond, high: 500 * time.Millisecond}
	for {
		answer, err := listOnce(ctx, c, topic, wanted)
		if err == nil {
			for _, p := range answer {
				use(p)
			}
			return nil
		}
		if !electing(err) || pause.wait(ctx) != nil {
			return fmt.Errorf("kafka: offsets of %q: %w", topic, c.explain(strings.Join(c.Brokers, ", "), err))
		}
	}
}

func listOnce(ctx context.Context, c Conn, topic string, wanted []kafka.OffsetRequest) ([]kafka.PartitionOffsets, error) {
	var found []kafka.PartitionOffsets
	err := c.withClient(topic, func(client *kafka.Client) error {
		meta, err := client.Metadata(ctx, &kafka.MetadataRequest{Topics: []string{topic}})
		if err != nil {
			return err
		}
		if _, err := leadersOf(c, topic, meta); err != nil {
			return err
		}
		answer, err := client.ListOffsets(ctx, &kafka.ListOffsetsRequest{Topics: map[string][]kafka.OffsetRequest{topic: wanted}})
		if err != nil {
			return err
		}
		found = answer.Topics[topic]
		for _, p := range found {
			if p.Error != nil {
				return fmt.Errorf("lane %d: %w", p.Partition, p.Error)
			}
		}
		return nil
	})
	return found, err
}
