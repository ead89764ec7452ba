package kafka_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	kafkago "github.com/segmentio/kafka-go"

	"github.com/tapecast/tapecast/feed/kafka"
	"github.com/tapecast/tapecast/feed/kafka/embedded"
)

func TestWriterKeepsEverythingInOrder(t *testing.T) {
	onBoth(t, func(t *testing.T, conn kafka.Conn) {
		const lanes, rounds, perRound = 4, 5, 40
		topic := newTopic(t, conn, lanes)
		w := newWriter(t, kafka.WriterOptions{Conn: conn, Topic: topic, Lanes: lanes, TransactionalID: topic})
		want := make([][]kafka.Record, lanes)
		start := time.Now().UnixMilli() * 1e6
		for round := range rounds {
			for i := range perRound {
				r := kafka.Record{
					Lane: (i * i) % lanes, Time: start + int64(i)*1_500_000,
					Key: fmt.Appendf(nil, "K%d", i%3), Value: bytes.Repeat([]byte{byte(i)}, i*round),
				}
				switch i {
				case 7:
					r.Key = nil
				case 8:
					r.Value = nil
				}
				r.Offset = int64(len(want[r.Lane]))
				w.Append(r.Lane, r.Time, r.Key, r.Value)
				want[r.Lane] = append(want[r.Lane], r)
			}
			if w.Buffered() != perRound {
				t.Fatalf("%d records are buffered, not %d", w.Buffered(), perRound)
			}
			must(t, w.Flush(within(t, 20*time.Second)))
			if w.Buffered() != 0 {
				t.Fatalf("%d records are buffered after the flush", w.Buffered())
			}
		}
		compare(t, readAll(t, conn, topic, lanes), want)
	})
}

// compare checks records field by field; times are kept in ms.
func compare(t *testing.T, got, want [][]kafka.Record) {
	t.Helper()
	for lane := range want {
		if len(got[lane]) != len(want[lane]) {
			t.Fatalf("lane %d has %d records, not %d", lane, len(got[lane]), len(want[lane]))
		}
		for i, w := range want[lane] {
			g := got[lane][i]
			same := g.Lane == lane && g.Offset == w.Offset && g.Time == w.Time/1e6*1e6 &&
				bytes.Equal(g.Key, w.Key) && bytes.Equal(g.Value, w.Value)
			if !same {
				t.Fatalf("lane %d, record %d: got %v, want %v", lane, i, g, w)
			}
		}
	}
}

func TestOlderWriterIsFenced(t *testing.T) {
	onBoth(t, func(t *testing.T, conn kafka.Conn) {
		const lanes = 3
		topic := newTopic(t, conn, lanes)
		options := kafka.WriterOptions{Conn: conn, Topic: topic, Lanes: lanes, TransactionalID: topic}
		older := newWriter(t, options)
		mark(t, older, lanes, "old")
		newer := newWriter(t, options)
		mark(t, newer, lanes, "new")

		for range 2 { // It stays fenced.
			older.Append(1, 0, nil, []byte("late"))
			if err := older.Flush(within(t, 20*time.Second)); !errors.Is(err, kafka.ErrFenced) {
				t.Fatalf("the older writer got %v, not ErrFenced", err)
			}
		}
		mark(t, newer, lanes, "newer")
		for lane, records := range readAll(t, conn, topic, lanes) {
			var values []string
			for _, r := range records {
				values = append(values, string(r.Value))
			}
			if got := strings.Join(values, " "); got != "old new newer" {
				t.Errorf("lane %d holds %q", lane, got)
			}
		}
	})
}

func TestEpochIsRenewed(t *testing.T) {
	onBoth(t, func(t *testing.T, conn kafka.Conn) {
		topic := newTopic(t, conn, 2)
		options := kafka.WriterOptions{Conn: conn, Topic: topic, Lanes: 2, TransactionalID: topic}
		w := newWriter(t, options)
		for day := range 3 {
			before := w.Epoch()
			mark(t, w, 2, "a")
			mark(t, w, 2, "b")
			if after := w.Epoch(); after != before && day == 0 || after != before+1 && day > 0 {
				t.Errorf("day %d: the epoch went from %d to %d", day, before, after)
			}
			w.Age(25 * time.Hour)
		}
		if got := readAll(t, conn, topic, 2); len(got[0]) != 6 || len(got[1]) != 6 {
			t.Errorf("lanes have %d and %d records, not 6", len(got[0]), len(got[1]))
		}
	})
}

// TestFencedWriterCantRenew needs a real coordinator: the embedded one takes old
// epochs for a recovery.
func TestFencedWriterCantRenew(t *testing.T) {
	conn := connTo(realBroker(t).Addr())
	topic := newTopic(t, conn, 1)
	options := kafka.WriterOptions{Conn: conn, Topic: topic, Lanes: 1, TransactionalID: topic}
	older := newWriter(t, options)
	mark(t, older, 1, "old")
	newWriter(t, options)
	older.Age(25 * time.Hour)
	older.Append(0, 0, nil, []byte("late"))
	if err := older.Flush(within(t, 20*time.Second)); !errors.Is(err, kafka.ErrFenced) {
		t.Errorf("got %v", err)
	}
}

func TestWriterNoticesANewTopic(t *testing.T) {
	onBoth(t, func(t *testing.T, conn kafka.Conn) {
		topic := newTopic(t, conn, 1)
		w := newWriter(t, kafka.WriterOptions{Conn: conn, Topic: topic, Lanes: 1, TransactionalID: topic})
		mark(t, w, 1, "a")
		mark(t, w, 1, "b")
		deleteTopic(t, conn, topic)
		must(t, kafka.Ensure(within(t, 20*time.Second), conn, kafka.Topic{Name: topic, Lanes: 1}))
		w.Append(0, 0, nil, []byte("b"))
		if err := w.Flush(within(t, 20*time.Second)); !errors.Is(err, kafka.ErrSequence) {
			t.Errorf("got %v", err)
		}
	})
}

// deleteTopic deletes a topic and waits until it is gone.
func deleteTopic(t *testing.T, conn kafka.Conn, topic string) {
	t.Helper()
	transport := &kafkago.Transport{}
	defer transport.CloseIdleConnections()
	client := &kafkago.Client{Addr: kafkago.TCP(conn.Brokers...), Transport: transport}
	answer, err := client.DeleteTopics(within(t, 10*time.Second), &kafkago.DeleteTopicsRequest{Topics: []string{topic}})
	must(t, err)
	must(t, answer.Errors[topic])
	eventually(t, "the topic is gone", func() bool {
		_, err := kafka.Verify(within(t, 10*time.Second), conn, topic)
		return errors.Is(err, kafka.ErrNoTopic)
	})
}

// mark writes one record to each lane.
func mark(t *testing.T, w *kafka.Writer, lanes int, value string) {
	t.Helper()
	for lane := range lanes {
		w.Append(lane, time.Now().UnixNano(), nil, []byte(value))
	}
	must(t, w.Flush(within(t, 20*time.Second)))
}

func TestRepeatedTriesDontDouble(t *testing.T) {
	faults := map[string]func(*embedded.Broker){
		"acknowledgements lost": func(b *embedded.Broker) { b.LoseAcks(3) },
		"not the leader":        func(b *embedded.Broker) { b.RefuseWrites(3) },
		"connection closed":     func(b *embedded.Broker) { b.HangUp() },
	}
	for name, fault := range faults {
		t.Run(name, func(t *testing.T) {
			broker := embeddedBroker(t, embedded.Options{})
			conn := connTo(broker.Addr())
			topic := newTopic(t, conn, 2)
			reg := prometheus.NewRegistry()
			w := newWriter(t, kafka.WriterOptions{Conn: conn, Topic: topic, Lanes: 2, Registerer: reg})
			for i := range 30 {
				if i%10 == 5 {
					fault(broker)
				}
				w.Append(i%2, 0, nil, strconv.AppendInt(nil, int64(i/2), 10))
				w.Append(1-i%2, 0, nil, []byte("x"))
				must(t, w.Flush(within(t, 20*time.Second)))
			}
			for lane, records := range readAll(t, conn, topic, 2) {
				if len(records) != 30 {
					t.Errorf("lane %d has %d records, not 30", lane, len(records))
				}
			}
			if retries := metric(t, reg, "tapecast_kafka_writer_retries_total"); retries < 3 {
				t.Errorf("%v retries were counted: the fault did not show", retries)
			}
			if records := metric(t, reg, "tapecast_kafka_writer_records_total"); records != 60 {
				t.Errorf("%v records were counted, not 60", records)
			}
			if flushes := metric(t, reg, "tapecast_kafka_writer_flush_seconds"); flushes != 30 {
				t.Errorf("%v flushes were counted, not 30", flushes)
			}
		})
	}
}

// metric is the value of a counter, or the count of a histogram.
func metric(t *testing.T, reg *prometheus.Registry, name string) float64 {
	t.Helper()
	families, err := reg.Gather()
	must(t, err)
	for _, f := range families {
		if f.GetName() == name {
			m := f.GetMetric()[0]
			return m.GetCounter().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	t.Fatalf("no metric %s", name)
	return 0
}

func TestLanesLedByDifferentBrokers(t *testing.T) {
	const lanes = 6
	broker := embeddedBroker(t, embedded.Options{Brokers: 3})
	conn := connTo(broker.Addr())
	topic := newTopic(t, conn, lanes)
	w := newWriter(t, kafka.WriterOptions{Conn: conn, Topic: topic, Lanes: lanes, TransactionalID: "one"})
	for round := range 9 {
		for lane := range lanes {
			must(t, broker.MoveLane(topic, lane, (lane+round/3)%3))
			w.Append(lane, 0, nil, strconv.AppendInt(nil, int64(round), 10))
		}
		must(t, w.Flush(within(t, 20*time.Second)))
	}
	for lane, records := range readAll(t, conn, topic, lanes) {
		if len(records) != 9 {
			t.Errorf("lane %d has %d records, not 9", lane, len(records))
		}
		for i, r := range records {
			if string(r.Value) != strconv.Itoa(i) {
				t.Errorf("lane %d, record %d is %q", lane, i, r.Value)
			}
		}
	}
}

func TestUnacknowledgedRecordsGoOutLater(t *testing.T) {
	dir := t.TempDir()
	broker := embeddedBroker(t, embedded.Options{Dir: dir})
	addr := broker.Addr()
	conn := connTo(addr)
	topic := newTopic(t, conn, 2)
	w := newWriter(t, kafka.WriterOptions{Conn: conn, Topic: topic, Lanes: 2, TransactionalID: "one"})
	mark(t, w, 2, "0")
	must(t, broker.Close())

	for i := 1; i < 4; i++ { // More than a batch, in part sealed by a try that failed.
		w.Append(0, 0, nil, []byte(strconv.Itoa(i)))
		w.Append(1, 0, nil, []byte(strconv.Itoa(i)))
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		if err := w.Flush(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("without a broker the flush got %v", err)
		}
		cancel()
	}
	if w.Buffered() != 6 {
		t.Fatalf("%d records are buffered, not 6", w.Buffered())
	}
	_, port, _ := strings.Cut(addr, ":")
	number, err := strconv.Atoi(port)
	must(t, err)
	embeddedBroker(t, embedded.Options{Dir: dir, Port: number})
	must(t, w.Flush(within(t, 20*time.Second)))
	for lane, records := range readAll(t, conn, topic, 2) {
		if len(records) != 4 {
			t.Fatalf("lane %d has %d records, not 4", lane, len(records))
		}
		for i, r := range records {
			if string(r.Value) != strconv.Itoa(i) {
				t.Errorf("lane %d, record %d is %q", lane, i, r.Value)
			}
		}
	}
}

func TestBacklogLargerThanABatch(t *testing.T) {
	onBoth(t, func(t *testing.T, conn kafka.Conn) {
		topic := newTopic(t, conn, 2)
		w := newWriter(t, kafka.WriterOptions{Conn: conn, Topic: topic, Lanes: 2})
		value := make([]byte, 100<<10)
		for range 33 {
			w.Append(0, 0, nil, value)
		}
		w.Append(1, 0, nil, value)
		must(t, w.Flush(within(t, 20*time.Second)))
		got := readAll(t, conn, topic, 2)
		if len(got[0]) != 33 || len(got[1]) != 1 {
			t.Errorf("lanes have %d and %d records, not 33 and 1", len(got[0]), len(got[1]))
		}

		w.Append(0, 0, nil, make([]byte, 3<<20))
		err := w.Flush(within(t, 20*time.Second))
		if err == nil || !strings.Contains(err.Error(), "max.message.bytes") {
			t.Errorf("a record of 3 MiB got %v", err)
		}
	})
}

func TestWriterRefusesWrongLanes(t *testing.T) {
	conn := connTo(embeddedBroker(t, embedded.Options{}).Addr())
	topic := newTopic(t, conn, 2)
	if _, err := kafka.NewWriter(within(t, 10*time.Second), kafka.WriterOptions{Conn: conn, Topic: topic, Lanes: 3}); err == nil || !strings.Contains(err.Error(), "has 2 lanes") {
		t.Errorf("got %v", err)
	}
	if _, err := kafka.NewWriter(within(t, 10*time.Second), kafka.WriterOptions{Conn: conn, Topic: "none", Lanes: 3}); !errors.Is(err, kafka.ErrNoTopic) {
		t.Errorf("got %v", err)
	}
}

func TestAppendDoesNotAllocate(t *testing.T) {
	conn := connTo(embeddedBroker(t, embedded.Options{}).Addr())
	topic := newTopic(t, conn, 8)
	w := newWriter(t, kafka.WriterOptions{Conn: conn, Topic: topic, Lanes: 8})
	key, value := []byte("AAPL"), make([]byte, 60)
	const records = 2000
	fill := func() {
		for i := range records {
			w.Append(i%8, int64(i)*1e6, key, value)
		}
	}
	fill()
	must(t, w.Flush(within(t, 10*time.Second)))
	fill() // The buffers have their size now.
	if allocs := testing.AllocsPerRun(1, func() {}); allocs != 0 {
		t.Fatal("the measure itself allocates")
	}
	must(t, w.Flush(within(t, 10*time.Second)))
	allocs := testing.AllocsPerRun(1, func() {
		w.Append(0, 1, key, value)
		w.Append(1, 1, key, value)
	})
	if allocs != 0 {
		t.Errorf("appending allocates %v times", allocs)
	}
}
