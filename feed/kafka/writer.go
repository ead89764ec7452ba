package kafka

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/segmentio/kafka-go"
)

// WriterOptions of a Writer.
type WriterOptions struct {
	Conn
	// Topic must exist with Lanes lanes; see Ensure.
	Topic string
	Lanes int
	// TransactionalID names the one writer that a topic has: a newer Writer
	// with the same id fences this one. Empty: repeats are still dropped by the
	// broker, but nothing keeps a second writer away.
	TransactionalID string
	// Registerer gets the metrics; nil for none.
	Registerer prometheus.Registerer
}

// Writer appends records to all lanes of a topic, each exactly once and in
// order. It encodes batches with a producer id, an epoch and a sequence per
// lane, and sends the same bytes until they are acknowledged. One goroutine
// uses it; nothing in it runs in the background.
type Writer struct {
	conn      Conn
	topic     string
	id        string
	transport *kafka.Transport
	metrics   writerMetrics

	producer int64
	epoch    int16
	since    time.Time // When the epoch was given.
	lanes    []laneQueue
	buffered int   // Records in all lanes.
	failed   error // Set once and for all: fenced, or refused for good.

	leaders []int    // Broker id by lane; nil: ask before the next try.
	answers []answer // By lane, of the last try; see produce.go.
	pending []int    // Lanes whose first batch is not acknowledged.
}

// laneQueue holds the batches of one lane, the oldest first. All but the last
// are full or sealed.
type laneQueue struct {
	batches  []*recordBatch
	free     []*recordBatch
	sequence int32 // Of the next batch to be sealed.
	end      int64 // Next offset after the last batch whose place is known.
}

// NewWriter verifies the topic and takes over TransactionalID: on a real broker
// an older writer is fenced on a lane as soon as this one has written there, so
// write a marker to every lane before reading what the older one left. It waits
// within ctx for a coordinator that is still starting.
func NewWriter(ctx context.Context, o WriterOptions) (*Writer, error) {
	lanes, err := Verify(ctx, o.Conn, o.Topic)
	if err != nil {
		return nil, err
	}
	if err := checkLanes(o.Topic, lanes, o.Lanes); err != nil {
		return nil, err
	}
	transport, err := o.transport(o.Topic)
	if err != nil {
		return nil, err
	}
	metrics, err := newWriterMetrics(o.Registerer, o.Topic)
	if err != nil {
		return nil, fmt.Errorf("kafka: metrics of the writer of %q: %w", o.Topic, err)
	}
	w := &Writer{
		conn: o.Conn, topic: o.Topic, id: o.TransactionalID, transport: transport, metrics: metrics,
		lanes: make([]laneQueue, lanes), answers: make([]answer, lanes), pending: make([]int, 0, lanes),
	}
	if err := w.takeOver(ctx); err != nil {
		transport.CloseIdleConnections()
		return nil, err
	}
	return w, nil
}

// Append copies one record into the batch of its lane; ts is in ns, and kept in
// ms. A nil key is none. It allocates only while buffers grow: bound them by
// flushing, or by waiting while Buffered is high. A lane outside the topic
// panics.
func (w *Writer) Append(lane int, ts int64, key, value []byte) {
	w.lanes[lane].open(key, value).add(ts, key, value)
	w.buffered++
}

// open returns the batch that a record of these sizes goes into.
func (q *laneQueue) open(key, value []byte) *recordBatch {
	if n := len(q.batches); n > 0 && q.batches[n-1].fits(key, value) {
		return q.batches[n-1]
	}
	var b *recordBatch
	if n := len(q.free); n > 0 {
		b, q.free = q.free[n-1], q.free[:n-1]
	} else {
		b = &recordBatch{}
	}
	b.reset()
	q.batches = append(q.batches, b)
	return b
}

// pop releases the first batch, which is acknowledged.
func (q *laneQueue) pop() {
	const spare = 2 // More than that was needed for an outage alone.
	b := q.batches[0]
	q.batches = append(q.batches[:0], q.batches[1:]...)
	if len(q.free) < spare {
		q.free = append(q.free, b)
	}
}

// Buffered is the number of records that are not acknowledged yet.
func (w *Writer) Buffered() int { return w.buffered }

// Flush sends what is buffered, one request per leading broker for all lanes,
// and returns when it is acknowledged. It tries for as long as ctx lasts; then
// what is left stays buffered, and the next Flush goes on with it. It returns
// ErrFenced when a newer writer holds the id, ErrSequence or what the broker
// refused for good: such an error is final, and every later Flush returns it.
func (w *Writer) Flush(ctx context.Context) error {
	if w.failed != nil || w.buffered == 0 {
		return w.failed
	}
	begun := time.Now()
	if err := w.renew(ctx); err != nil {
		return err
	}
	for w.buffered > 0 {
		w.sealFirst()
		if err := w.deliver(ctx); err != nil {
			return err
		}
	}
	w.metrics.flush.Observe(time.Since(begun).Seconds())
	return nil
}

// sealFirst makes the first batch of each lane that has one ready to be sent.
func (w *Writer) sealFirst() {
	w.pending = w.pending[:0]
	for lane := range w.lanes {
		q := &w.lanes[lane]
		if len(q.batches) == 0 {
			continue
		}
		if b := q.batches[0]; !b.sealed {
			b.seal(w.producer, w.epoch, q.sequence)
			q.sequence = int32((uint32(q.sequence) + uint32(b.count)) & 0x7fffffff) // Kafka wraps to 0.
		}
		w.pending = append(w.pending, lane)
	}
}

// deliver sends the first batch of every pending lane until all are
// acknowledged.
func (w *Writer) deliver(ctx context.Context) error {
	pause := backoff{low: 10 * time.Millisecond, high: 250 * time.Millisecond}
	outage := outageLog{log: w.conn.logger().With("topic", w.topic), what: "written"}
	for {
		err := w.try(ctx)
		if w.failed != nil {
			return w.failed
		}
		if len(w.pending) == 0 {
			outage.over(ctx)
			return nil
		}
		if final := w.final(err); final != nil {
			w.failed = final
			return final
		}
		outage.note(ctx, err)
		w.metrics.retries.Inc()
		w.forgetLeaders()
		if ctxErr := pause.wait(ctx); ctxErr != nil {
			return fmt.Errorf("kafka: %d records of %q are not acknowledged: %w (last answer: %w)", w.buffered, w.topic, ctxErr, err)
		}
	}
}

// acknowledged takes a lane's first batch, which begins at offset base, out of
// its queue; base is below zero if the broker did not say. A lane that was longer
// before is the end of this writer.
func (w *Writer) acknowledged(lane int, base int64) {
	q := &w.lanes[lane]
	b := q.batches[0]
	if base >= 0 && base < q.end {
		w.failed = fmt.Errorf("kafka: %w to %q: lane %d ended at offset %d and goes on at %d: the topic was made anew; restart the writer", ErrSequence, w.topic, lane, q.end, base)
	}
	q.end = max(q.end, base+int64(b.count))
	w.buffered -= int(b.count)
	w.metrics.records.Add(float64(b.count))
	w.metrics.bytes.Add(float64(len(b.buf) - sizePrefix))
	q.pop()
}

// Close gives up the connections. What is not flushed is lost.
func (w *Writer) Close() error {
	w.transport.CloseIdleConnections()
	if w.failed == nil {
		w.failed = errors.New("kafka: the writer is closed")
	}
	return nil
}
