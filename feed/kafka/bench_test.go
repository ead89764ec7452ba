package kafka_test

import (
	"context"
	"testing"

	"github.com/tapecast/tapecast/feed"
	"github.com/tapecast/tapecast/feed/kafka"
	"github.com/tapecast/tapecast/feed/kafka/embedded"
)

const benchLanes = 8

// BenchmarkWrite is the cost per record of Append and its share of Flush, with
// the embedded broker's work included, at several records per flush. At 1,500
// records/s a flush each 10 ms has 15 records.
func BenchmarkWrite(b *testing.B) {
	for name, perFlush := range map[string]int{"15": 15, "200": 200, "2000": 2000} {
		b.Run(name+"-per-flush", func(b *testing.B) { benchmarkWrite(b, perFlush) })
	}
}

func benchmarkWrite(b *testing.B, perFlush int) {
	conn := connTo(embeddedBroker(b, embedded.Options{}).Addr())
	topic := newTopic(b, conn, benchLanes)
	w := newWriter(b, kafka.WriterOptions{Conn: conn, Topic: topic, Lanes: benchLanes, TransactionalID: "bench"})
	key, value := []byte("AAPL"), make([]byte, 60)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		w.Append(i%benchLanes, int64(i)*1e6, key, value)
		if w.Buffered() == perFlush {
			if err := w.Flush(context.Background()); err != nil {
				b.Fatal(err)
			}
		}
	}
}

// BenchmarkAppend is the encoding alone.
func BenchmarkAppend(b *testing.B) {
	conn := connTo(embeddedBroker(b, embedded.Options{}).Addr())
	topic := newTopic(b, conn, benchLanes)
	w := newWriter(b, kafka.WriterOptions{Conn: conn, Topic: topic, Lanes: benchLanes})
	key, value := []byte("AAPL"), make([]byte, 60)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		w.Append(i%benchLanes, int64(i)*1e6, key, value)
		if w.Buffered() == 2000 {
			b.StopTimer()
			if err := w.Flush(context.Background()); err != nil {
				b.Fatal(err)
			}
			b.StartTimer()
		}
	}
}

// BenchmarkRead is the cost per record of reading all lanes from the start, with
// the embedded broker's work included.
func BenchmarkRead(b *testing.B) {
	conn := connTo(embeddedBroker(b, embedded.Options{}).Addr())
	topic := newTopic(b, conn, benchLanes)
	w := newWriter(b, kafka.WriterOptions{Conn: conn, Topic: topic, Lanes: benchLanes})
	const perLane = 20_000
	value := make([]byte, 60)
	for n := range perLane {
		for lane := range benchLanes {
			w.Append(lane, int64(n)*1e9, []byte("AAPL"), value)
		}
		if n%25 == 0 { // Batches as small as a busy feeder's.
			must(b, w.Flush(context.Background()))
		}
	}
	must(b, w.Flush(context.Background()))
	from, to := make(feed.Position, benchLanes), make(feed.Position, benchLanes)
	for lane := range to {
		to[lane] = perLane
	}
	b.ReportAllocs()
	for b.Loop() {
		must(b, kafka.Range(context.Background(), conn, topic, from, to, func(kafka.Record) error { return nil }))
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*perLane*benchLanes), "ns/record")
}
