package kafka_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/tapecast/tapecast/feed"
	"github.com/tapecast/tapecast/feed/kafka"
	"github.com/tapecast/tapecast/feed/kafka/embedded"
)

// number makes a value that says its place, to find what is missing or doubled.
func number(n int) []byte { return binary.BigEndian.AppendUint64(nil, uint64(n)) }

func numberOf(r kafka.Record) int { return int(binary.BigEndian.Uint64(r.Value)) }

// writeNumbers writes the numbers [from, to) to every lane.
func writeNumbers(t testing.TB, w *kafka.Writer, lanes, from, to int) {
	t.Helper()
	for n := from; n < to; n++ {
		for lane := range lanes {
			w.Append(lane, int64(n)*1e6, []byte("key"), number(n))
		}
	}
	must(t, w.Flush(within(t, 20*time.Second)))
}

// follow runs a reader in the background; its batches come out of the channel
// with records that stay valid. The returned function ends it and returns what
// Run returned.
func follow(t testing.TB, o kafka.ReaderOptions) (<-chan kafka.Batch, func() error) {
	t.Helper()
	r, err := kafka.NewReader(o)
	must(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	batches := make(chan kafka.Batch, 10_000)
	result := make(chan error, 1)
	go func() {
		result <- r.Run(ctx, func(b kafka.Batch) error {
			b.Records = append([]kafka.Record(nil), b.Records...)
			batches <- b
			return nil
		})
		close(batches)
	}()
	end := func() error {
		cancel()
		select {
		case err := <-result:
			result <- err
			return err
		case <-time.After(20 * time.Second):
			t.Fatal("the reader did not end")
			return nil
		}
	}
	t.Cleanup(func() { _ = end() })
	return batches, end
}

// next waits for a batch.
func next(t testing.TB, batches <-chan kafka.Batch) kafka.Batch {
	t.Helper()
	select {
	case b, ok := <-batches:
		if !ok {
			t.Fatal("the reader has ended")
		}
		return b
	case <-time.After(20 * time.Second):
		t.Fatal("no batch came")
	}
	return kafka.Batch{}
}

// expectNumbers reads until every lane has had the numbers [from, to), each once
// and in order.
func expectNumbers(t testing.TB, batches <-chan kafka.Batch, lanes, from, to int) {
	t.Helper()
	want := make([]int, lanes)
	for lane := range want {
		want[lane] = from
	}
	for left := lanes * (to - from); left > 0; {
		b := next(t, batches)
		for _, r := range b.Records {
			if got := numberOf(r); got != want[b.Lane] || r.Lane != b.Lane {
				t.Fatalf("lane %d: got number %d at offset %d, want %d", b.Lane, got, r.Offset, want[b.Lane])
			}
			want[b.Lane]++
			left--
		}
	}
}

func TestReaderFollowsFromAPosition(t *testing.T) {
	onBoth(t, func(t *testing.T, conn kafka.Conn) {
		const lanes = 3
		topic := newTopic(t, conn, lanes)
		w := newWriter(t, kafka.WriterOptions{Conn: conn, Topic: topic, Lanes: lanes})
		writeNumbers(t, w, lanes, 0, 50) // One batch per lane: a fetch from 20 begins before it.

		batches, end := follow(t, kafka.ReaderOptions{Conn: conn, Topic: topic, Lanes: lanes, From: feed.Position{20, 20, 20}})
		first := next(t, batches)
		if first.First != 20 || first.Next != 50 || first.End != 50 || first.SkippedFrom != -1 || numberOf(first.Records[0]) != 20 {
			t.Errorf("the first batch is %d to %d of %d, skipped from %d", first.First, first.Next, first.End, first.SkippedFrom)
		}
		expectNumbers(t, batches, lanes-1, 20, 20)
		for range lanes - 1 {
			next(t, batches)
		}
		writeNumbers(t, w, lanes, 50, 60)
		expectNumbers(t, batches, lanes, 50, 60)
		begun := time.Now()
		if err := end(); !errors.Is(err, context.Canceled) {
			t.Errorf("the reader ended with %v", err)
		}
		if took := time.Since(begun); took > time.Second {
			t.Errorf("the reader took %v to end", took)
		}
	})
}

func TestReaderReturnsTheErrorOfHandle(t *testing.T) {
	conn := connTo(embeddedBroker(t, embedded.Options{}).Addr())
	topic := newTopic(t, conn, 2)
	w := newWriter(t, kafka.WriterOptions{Conn: conn, Topic: topic, Lanes: 2})
	writeNumbers(t, w, 2, 0, 1)
	r, err := kafka.NewReader(kafka.ReaderOptions{Conn: conn, Topic: topic, Lanes: 2, From: make(feed.Position, 2)})
	must(t, err)
	broken := errors.New("broken")
	if err := r.Run(within(t, 10*time.Second), func(kafka.Batch) error { return broken }); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
}

func TestReaderNoticesWhatRetentionTook(t *testing.T) {
	broker := embeddedBroker(t, embedded.Options{})
	conn := connTo(broker.Addr())
	topic := newTopic(t, conn, 1)
	w := newWriter(t, kafka.WriterOptions{Conn: conn, Topic: topic, Lanes: 1})
	writeNumbers(t, w, 1, 0, 10)
	writeNumbers(t, w, 1, 10, 20)
	must(t, broker.DeleteBefore(topic, 0, 13))
	batches, _ := follow(t, kafka.ReaderOptions{Conn: conn, Topic: topic, Lanes: 1, From: feed.Position{4}})
	b := next(t, batches)
	if b.SkippedFrom != 4 || b.First != 13 || numberOf(b.Records[0]) != 13 {
		t.Errorf("skipped from %d, first %d", b.SkippedFrom, b.First)
	}
	if first, _, err := kafka.Offsets(within(t, 10*time.Second), conn, topic, 1); err != nil || first[0] != 13 {
		t.Errorf("the first offset is %v, %v", first, err)
	}
}

func TestReaderIsOvertakenByRetention(t *testing.T) {
	broker := embeddedBroker(t, embedded.Options{})
	conn := connTo(broker.Addr())
	topic := newTopic(t, conn, 1)
	w := newWriter(t, kafka.WriterOptions{Conn: conn, Topic: topic, Lanes: 1})
	writeNumbers(t, w, 1, 0, 10)
	r, err := kafka.NewReader(kafka.ReaderOptions{Conn: conn, Topic: topic, Lanes: 1, From: feed.Position{0}})
	must(t, err)
	ended := errors.New("ended")
	err = r.Run(within(t, 20*time.Second), func(b kafka.Batch) error {
		if b.First == 0 { // While this batch is being handled, the log moves on.
			writeNumbers(t, w, 1, 10, 20)
			must(t, broker.DeleteBefore(topic, 0, 15))
			return nil
		}
		if b.SkippedFrom != 10 || b.First != 15 || numberOf(b.Records[0]) != 15 {
			t.Errorf("skipped from %d, first %d", b.SkippedFrom, b.First)
		}
		return ended
	})
	if !errors.Is(err, ended) {
		t.Error(err)
	}
}

func TestReaderNoticesANewTape(t *testing.T) {
	onBoth(t, func(t *testing.T, conn kafka.Conn) {
		topic := newTopic(t, conn, 2)
		w := newWriter(t, kafka.WriterOptions{Conn: conn, Topic: topic, Lanes: 2})
		writeNumbers(t, w, 2, 0, 10)
		// As after a tape was made anew while the reader was away.
		r, err := kafka.NewReader(kafka.ReaderOptions{Conn: conn, Topic: topic, Lanes: 2, From: feed.Position{10, 15}})
		must(t, err)
		err = r.Run(within(t, 20*time.Second), func(kafka.Batch) error { return nil })
		if !errors.Is(err, kafka.ErrTruncated) || !strings.Contains(err.Error(), "lane 1") {
			t.Errorf("got %v", err)
		}
	})
}

func TestIdleReaderNoticesANewTape(t *testing.T) {
	onBoth(t, testIdleReader)
}

func testIdleReader(t *testing.T, conn kafka.Conn) {
	topic := newTopic(t, conn, 1)
	w := newWriter(t, kafka.WriterOptions{Conn: conn, Topic: topic, Lanes: 1})
	writeNumbers(t, w, 1, 0, 10)
	r, err := kafka.NewReader(kafka.ReaderOptions{Conn: conn, Topic: topic, Lanes: 1, From: make(feed.Position, 1)})
	must(t, err)
	read := make(chan struct{}, 1)
	result := make(chan error, 1)
	go func() {
		result <- r.Run(within(t, 20*time.Second), func(kafka.Batch) error { read <- struct{}{}; return nil })
	}()
	<-read
	deleteTopic(t, conn, topic)
	must(t, kafka.Ensure(within(t, 10*time.Second), conn, kafka.Topic{Name: topic, Lanes: 1}))
	if err := <-result; !errors.Is(err, kafka.ErrTruncated) {
		t.Errorf("got %v", err)
	}
}

func TestReaderWaitsForATopic(t *testing.T) {
	conn := connTo(embeddedBroker(t, embedded.Options{}).Addr())
	batches, _ := follow(t, kafka.ReaderOptions{Conn: conn, Topic: "later", Lanes: 1, From: feed.Position{0}})
	must(t, kafka.Ensure(within(t, 10*time.Second), conn, kafka.Topic{Name: "later", Lanes: 1, Retention: -1}))
	w := newWriter(t, kafka.WriterOptions{Conn: conn, Topic: "later", Lanes: 1})
	writeNumbers(t, w, 1, 0, 3)
	expectNumbers(t, batches, 1, 0, 3)
}

func TestReaderGoesThroughARestart(t *testing.T) {
	dir := t.TempDir()
	broker := embeddedBroker(t, embedded.Options{Dir: dir})
	conn := connTo(broker.Addr())
	topic := newTopic(t, conn, 2)
	w := newWriter(t, kafka.WriterOptions{Conn: conn, Topic: topic, Lanes: 2, TransactionalID: "one"})
	batches, _ := follow(t, kafka.ReaderOptions{Conn: conn, Topic: topic, Lanes: 2, From: make(feed.Position, 2)})
	writeNumbers(t, w, 2, 0, 10)
	expectNumbers(t, batches, 2, 0, 10)

	var port int
	if _, err := fmt.Sscanf(broker.Addr(), "127.0.0.1:%d", &port); err != nil {
		t.Fatal(err)
	}
	must(t, broker.Close())
	embeddedBroker(t, embedded.Options{Dir: dir, Port: port})
	writeNumbers(t, w, 2, 10, 20)
	expectNumbers(t, batches, 2, 10, 20)
}

func TestNewReaderRefuses(t *testing.T) {
	conn := connTo("127.0.0.1:1")
	for name, o := range map[string]kafka.ReaderOptions{
		"no broker":       {Topic: "x", Lanes: 1, From: feed.Position{0}},
		"short position":  {Conn: conn, Topic: "x", Lanes: 2, From: feed.Position{0}},
		"no lane":         {Conn: conn, Topic: "x"},
		"bad address":     {Conn: connTo("localhost"), Topic: "x", Lanes: 1, From: feed.Position{0}},
		"unknown SASL":    {Conn: kafka.Conn{Brokers: conn.Brokers, SASL: kafka.SASL{Mechanism: "kerberos"}}, Topic: "x", Lanes: 1, From: feed.Position{0}},
		"empty addresses": {Conn: kafka.Conn{Brokers: []string{""}}, Topic: "x", Lanes: 1, From: feed.Position{0}},
	} {
		if _, err := kafka.NewReader(o); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
