package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/tapecast/tapecast/charts"
	"github.com/tapecast/tapecast/feed"
)

// truth is what the topic holds of one symbol, read by kafka-go and decoded here,
// so that no code under test has a say in it.
type truth struct {
	trades []feed.Tick // by seq from 1; a zero Seq: missing
	last   [feed.Channels]uint64
	count  [feed.Channels]uint64
	twice  int // records of a seq that was there before
}

// sum returns the merge of the trades first..last.
func (tr *truth) sum(first, last uint64) (charts.Bar, error) {
	var b charts.Bar
	for seq := first; seq <= last; seq++ {
		if seq > uint64(len(tr.trades)) || tr.trades[seq-1].Seq != seq {
			return b, fmt.Errorf("the topic has no trade %d", seq)
		}
		b = charts.Merge(b, charts.FromTrade(&tr.trades[seq-1]))
	}
	return b, nil
}

// readTruth reads all that a topic holds now.
func readTruth(t *testing.T, broker, topic string) map[string]*truth {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	all := map[string]*truth{}
	for lane := range 8 {
		if err := readLane(ctx, broker, topic, lane, all); err != nil {
			t.Fatalf("reading the truth from %s/%d: %v", topic, lane, err)
		}
	}
	for name, tr := range all {
		for c := range feed.Channels {
			if tr.count[c] != tr.last[c] {
				t.Errorf("the topic has %d %s of %s, numbered up to %d", tr.count[c], c, name, tr.last[c])
			}
		}
	}
	return all
}

func readLane(ctx context.Context, broker, topic string, lane int, all map[string]*truth) error {
	conn, err := kafka.DialLeader(ctx, "tcp", broker, topic, lane)
	if err != nil {
		return err
	}
	defer conn.Close()
	_, end, err := conn.ReadOffsets()
	if err != nil {
		return err
	}
	r := kafka.NewReader(kafka.ReaderConfig{Brokers: []string{broker}, Topic: topic, Partition: lane, MaxWait: 100 * time.Millisecond})
	defer r.Close()
	for r.Offset() < end {
		m, err := r.ReadMessage(ctx)
		if err != nil {
			return err
		}
		if err := takeTruth(all, string(m.Key), m.Value); err != nil {
			return fmt.Errorf("offset %d: %w", m.Offset, err)
		}
	}
	return nil
}

// takeTruth reads a record as the codec's comment describes it: a version and
// kind byte, the seq, the time, and a trade's price, size and side.
func takeTruth(all map[string]*truth, symbol string, value []byte) error {
	kind := value[0] & 0x0f
	if value[0]>>4 != 1 || kind > 5 {
		return nil
	}
	tr := all[symbol]
	if tr == nil {
		tr = &truth{}
		all[symbol] = tr
	}
	channel := map[byte]feed.Channel{1: feed.Trades, 2: feed.Quotes}[kind]
	if kind > 2 {
		channel = feed.Statuses
	}
	seq, n := binary.Uvarint(value[1:])
	rest := value[1+n:]
	if n <= 0 || len(rest) < 8 {
		return errors.New("short record")
	}
	if seq <= tr.last[channel] {
		tr.twice++
		return nil
	}
	tr.last[channel] = seq
	tr.count[channel]++
	if kind != 1 {
		return nil
	}
	price, n := binary.Varint(rest[8:])
	size, _ := binary.Varint(rest[8+n:])
	for uint64(len(tr.trades)) < seq {
		tr.trades = append(tr.trades, feed.Tick{})
	}
	tr.trades[seq-1] = feed.Tick{
		Kind: feed.KindTrade, Seq: seq, TS: int64(binary.LittleEndian.Uint64(rest)), Price: feed.Price(price), Size: feed.Size(size),
	}
	return nil
}
