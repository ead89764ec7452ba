package kafka_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tapecast/tapecast/feed"
	"github.com/tapecast/tapecast/feed/kafka"
)

// TestKillNineUnderLoad kills the real broker while numbered records are
// written and read: none may be missing or doubled, in the topic or at the reader.
func TestKillNineUnderLoad(t *testing.T) {
	broker := realBroker(t)
	conn := connTo(broker.Addr())
	const lanes = 8
	topic := newTopic(t, conn, lanes)
	reg := prometheus.NewRegistry()
	w := newWriter(t, kafka.WriterOptions{Conn: conn, Topic: topic, Lanes: lanes, TransactionalID: topic, Registerer: reg})
	batches, _ := follow(t, kafka.ReaderOptions{Conn: conn, Topic: topic, Lanes: lanes, From: make(feed.Position, lanes)})

	load, stopLoad := context.WithCancel(within(t, time.Minute))
	defer stopLoad()
	var (
		writing sync.WaitGroup
		count   atomic.Int64 // Acknowledged on each lane.
		failure error
	)
	writing.Go(func() { failure = writeUntil(load, w, lanes, &count) })
	eventually(t, "load before the kill", func() bool { return count.Load() > 200 })
	must(t, broker.Kill9())
	must(t, broker.Restart(within(t, time.Minute)))
	before := count.Load()
	eventually(t, "load after the restart", func() bool { return count.Load() > before+200 })
	stopLoad()
	writing.Wait()
	must(t, failure)

	written := int(count.Load())
	expectNumbers(t, batches, lanes, 0, written)
	for lane, records := range readAll(t, conn, topic, lanes) {
		if len(records) != written {
			t.Errorf("lane %d has %d records, not %d", lane, len(records), written)
		}
		for i, r := range records {
			if numberOf(r) != i {
				t.Fatalf("lane %d has number %d at offset %d", lane, numberOf(r), r.Offset)
			}
		}
	}
	retries := metric(t, reg, "tapecast_kafka_writer_retries_total")
	if retries < 2 {
		t.Errorf("%v retries: the load did not meet the kill", retries)
	}
	t.Logf("%d records on each of %d lanes, %v retries", written, lanes, retries)
}

// writeUntil writes numbers to every lane each 10 ms until ctx ends.
func writeUntil(ctx context.Context, w *kafka.Writer, lanes int, acknowledged *atomic.Int64) error {
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	for n := 0; ; {
		for range 5 {
			for lane := range lanes {
				w.Append(lane, time.Now().UnixNano(), []byte("key"), number(n))
			}
			n++
		}
		if err := w.Flush(context.WithoutCancel(ctx)); err != nil {
			return err
		}
		acknowledged.Store(int64(n))
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}
