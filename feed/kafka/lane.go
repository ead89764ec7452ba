package kafka

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"time"

	"github.com/segmentio/kafka-go"
)

const (
	// fetchBytes bounds one fetch of one lane, and so the memory of a Batch.
	fetchBytes = 1 << 20
	// fetchWait is how long the broker holds a fetch that has nothing to give.
	fetchWait = 250 * time.Millisecond
	// checkEvery is how often an idle lane is compared with the topic: a broker
	// may keep silent about a position past the end.
	checkEvery = 2 * time.Second
	// shortFor is how long a lane has to be shorter than our position before we
	// believe it: a leader that has just come back may know less for a moment.
	shortFor = time.Second
)

// errShort says that a lane seems to be shorter than our position.
var errShort = errors.New("the lane seems to end before our position")

// laneReader reads one lane. It owns one connection, to the lane's leader, and
// makes a new one whenever that fails. One goroutine uses it.
type laneReader struct {
	conn  Conn
	topic string
	lane  int

	next  int64 // Offset of the next record.
	end   int64 // High watermark as last known; -1 before that.
	known int64 // Where the last batch ended, to notice a jump; -1: nothing to compare with.

	broker     *kafka.Conn // nil: not connected.
	release    func() bool // Undoes the closing of broker when ctx ends.
	checked    time.Time   // Last comparison with the topic.
	shortSince time.Time   // Zero: the lane is not short.
	records    []Record
}

func newLaneReader(c Conn, topic string, lane int, from int64) *laneReader {
	return &laneReader{conn: c, topic: topic, lane: lane, next: from, known: from, end: -1}
}

// run reads until done says so, handle fails, the lane is truncated or ctx
// ends. It connects again by itself, for as long as it takes.
func (l *laneReader) run(ctx context.Context, handle func(Batch) error, done func() bool) error {
	defer l.hangUp()
	pause := backoff{low: 20 * time.Millisecond, high: time.Second}
	outage := outageLog{log: l.conn.logger().With("topic", l.topic, "lane", l.lane), what: "read"}
	for !done() {
		connected := l.broker != nil
		batch, err := l.step(ctx)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, ErrTruncated):
			return err
		case err != nil:
			l.hangUp() // Also when out of range: kafka-go leaves the rest of the answer unread.
			if !errors.Is(err, kafka.OffsetOutOfRange) {
				outage.note(ctx, err)
			}
			_ = pause.wait(ctx)
			continue
		case connected:
			pause.reset()
			outage.over(ctx)
		}
		if len(batch.Records) == 0 {
			continue
		}
		if err := handle(batch); err != nil {
			return err
		}
	}
	return nil
}

// step connects, or returns what one fetch brought: an empty batch if nothing
// came in time.
func (l *laneReader) step(ctx context.Context) (Batch, error) {
	if l.broker == nil {
		return Batch{}, l.connect(ctx)
	}
	if err := l.broker.SetDeadline(time.Now().Add(requestTimeout)); err != nil {
		return Batch{}, err
	}
	err := l.fetch()
	switch {
	case len(l.records) > 0:
		if err != nil {
			l.hangUp() // What came before the error is good.
		}
		return l.batch(), nil
	case err == nil && time.Since(l.checked) > checkEvery:
		return Batch{}, l.check()
	}
	return Batch{}, err
}

// fetch reads the records of one fetch into l.records and moves next past them.
func (l *laneReader) fetch() error {
	l.records = l.records[:0]
	fetched := l.broker.ReadBatchWith(kafka.ReadBatchConfig{MinBytes: 1, MaxBytes: fetchBytes, MaxWait: fetchWait})
	for {
		m, err := fetched.ReadMessage()
		if err != nil {
			break
		}
		l.records = append(l.records, Record{Lane: l.lane, Offset: m.Offset, Time: m.Time.UnixNano(), Key: m.Key, Value: m.Value})
	}
	if fetched.Err() == nil || errors.Is(fetched.Err(), io.EOF) || errors.Is(fetched.Err(), kafka.RequestTimedOut) {
		l.next = max(l.next, fetched.Offset()) // May be past compacted records.
		l.end = fetched.HighWaterMark()
	}
	if n := len(l.records); n > 0 {
		l.next = max(l.next, l.records[n-1].Offset+1)
		l.end = max(l.end, l.next)
	}
	err := fetched.Close()
	if errors.Is(err, kafka.RequestTimedOut) {
		return nil
	}
	return err
}

// batch describes l.records, which are not empty.
func (l *laneReader) batch() Batch {
	b := Batch{Lane: l.lane, Records: l.records, First: l.records[0].Offset, Next: l.next, End: l.end, SkippedFrom: -1}
	if l.known >= 0 && b.First > l.known {
		b.SkippedFrom = l.known
	}
	l.known = l.next
	return b
}

// connect dials the leader and compares our position with the lane.
func (l *laneReader) connect(ctx context.Context) error {
	leader, err := l.leader(ctx)
	if err != nil {
		return err
	}
	dialer, err := l.conn.dialer()
	if err != nil {
		return err
	}
	broker, err := dialer.DialPartition(ctx, "tcp", "", kafka.Partition{Topic: l.topic, ID: l.lane, Leader: leader})
	if err != nil {
		return l.conn.explain(net.JoinHostPort(leader.Host, strconv.Itoa(leader.Port)), err)
	}
	l.broker = broker
	l.release = context.AfterFunc(ctx, func() { _ = broker.Close() }) // So that a fetch ends with ctx.
	return l.check()
}

// leader asks who leads the lane.
func (l *laneReader) leader(ctx context.Context) (kafka.Broker, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	found, err := leaders(ctx, l.conn, l.topic)
	if err != nil {
		return kafka.Broker{}, err
	}
	if l.lane >= len(found) || found[l.lane].ID < 0 {
		return kafka.Broker{}, fmt.Errorf("kafka: lane %d of %q has no leader now", l.lane, l.topic)
	}
	return found[l.lane], nil
}

// hangUp closes the connection, if there is one.
func (l *laneReader) hangUp() {
	if l.broker == nil {
		return
	}
	l.release()
	_ = l.broker.Close()
	l.broker, l.release = nil, nil
}

// check compares our position with what the lane has: what is gone is skipped,
// and a lane that stays shorter than our position is truncated.
func (l *laneReader) check() error {
	if err := l.broker.SetDeadline(time.Now().Add(requestTimeout)); err != nil {
		return err
	}
	first, next, err := l.broker.ReadOffsets()
	if err != nil {
		return err
	}
	l.checked = time.Now()
	if next < l.next {
		if l.shortSince.IsZero() {
			l.shortSince = l.checked
		}
		if time.Since(l.shortSince) < shortFor {
			return errShort
		}
		return fmt.Errorf("kafka: lane %d of %q: %w: it ends at offset %d, and we have read to %d: the tape was rebuilt or replaced", l.lane, l.topic, ErrTruncated, next, l.next)
	}
	l.shortSince = time.Time{}
	l.end = next
	l.next = max(l.next, first)
	_, err = l.broker.Seek(l.next, kafka.SeekAbsolute|kafka.SeekDontCheck)
	return err
}
