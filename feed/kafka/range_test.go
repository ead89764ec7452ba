package kafka_test

import (
	"errors"
	"testing"
	"time"

	"github.com/tapecast/tapecast/feed"
	"github.com/tapecast/tapecast/feed/kafka"
	"github.com/tapecast/tapecast/feed/kafka/embedded"
)

func TestBoundedReads(t *testing.T) {
	onBoth(t, func(t *testing.T, conn kafka.Conn) {
		const lanes, perLane = 2, 3500
		topic := newTopic(t, conn, lanes)
		w := newWriter(t, kafka.WriterOptions{Conn: conn, Topic: topic, Lanes: lanes})
		for n := 0; n < perLane; n += 100 {
			writeNumbers(t, w, lanes, n, n+100) // Number n has the time n ms.
		}
		t.Run("offsets", func(t *testing.T) { testOffsets(t, conn, topic, perLane) })
		t.Run("range", func(t *testing.T) { testRange(t, conn, topic, perLane) })
		t.Run("tails", func(t *testing.T) { testTails(t, conn, topic, lanes, perLane) })
	})
}

func testOffsets(t *testing.T, conn kafka.Conn, topic string, perLane int64) {
	ctx := within(t, 20*time.Second)
	first, next, err := kafka.Offsets(ctx, conn, topic, 2)
	if err != nil || first[0] != 0 || first[1] != 0 || next[0] != perLane || next[1] != perLane {
		t.Errorf("offsets are %v to %v, %v", first, next, err)
	}
	for ts, want := range map[int64]int64{
		0: 0, 1_234_000_000: 1234, 1_234_900_000: 1234, // Kafka knows ms only.
		(perLane - 1) * 1e6: perLane - 1, perLane * 1e6: perLane, time.Now().UnixNano(): perLane,
	} {
		at, err := kafka.At(ctx, conn, topic, 2, ts)
		if err != nil || at[0] != want || at[1] != want {
			t.Errorf("at %d ns: %v, %v; want %d", ts, at, err, want)
		}
	}
	if _, _, err := kafka.Offsets(ctx, conn, "none", 2); !errors.Is(err, kafka.ErrNoTopic) {
		t.Errorf("the offsets of no topic: %v", err)
	}
}

func testRange(t *testing.T, conn kafka.Conn, topic string, perLane int64) {
	got := readRange(t, conn, topic, feed.Position{150, perLane - 1}, feed.Position{260, perLane + 1000})
	if len(got[0]) != 110 || numberOf(got[0][0]) != 150 || len(got[1]) != 1 {
		t.Errorf("got %d and %d records", len(got[0]), len(got[1]))
	}
	broken := errors.New("broken")
	visit := func(kafka.Record) error { return broken }
	if err := kafka.Range(within(t, 20*time.Second), conn, topic, feed.Position{0, 0}, feed.Position{9, 9}, visit); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
	if err := kafka.Range(within(t, 20*time.Second), conn, topic, feed.Position{5, 5}, feed.Position{5, 4}, visit); err != nil {
		t.Errorf("an empty range got %v", err)
	}
	if err := kafka.Range(within(t, 20*time.Second), conn, topic, feed.Position{5}, feed.Position{5, 4}, visit); err == nil {
		t.Error("a range with uneven ends was accepted")
	}
}

func testTails(t *testing.T, conn kafka.Conn, topic string, lanes, perLane int) {
	seen := make([]int, perLane)
	visited := 0
	visit := func(r kafka.Record) error {
		seen[numberOf(r)]++
		visited++
		return nil
	}
	must(t, kafka.Tails(within(t, 20*time.Second), conn, topic, lanes, visit, func() bool { return visited > 0 }))
	if visited != 1000*lanes || seen[perLane-1000] != lanes || seen[perLane-1001] != 0 {
		t.Errorf("the first window has %d records", visited)
	}
	clear(seen)
	must(t, kafka.Tails(within(t, 20*time.Second), conn, topic, lanes, visit, func() bool { return false }))
	for n, times := range seen {
		if times != lanes {
			t.Fatalf("number %d was visited %d times, not %d", n, times, lanes)
		}
	}
}

func TestRangeOfACompactedTopic(t *testing.T) {
	broker := embeddedBroker(t, embedded.Options{})
	conn := connTo(broker.Addr())
	must(t, kafka.Ensure(within(t, 10*time.Second), conn, kafka.Topic{Name: "state", Lanes: 1, Compact: true}))
	w := newWriter(t, kafka.WriterOptions{Conn: conn, Topic: "state", Lanes: 1})
	for n := range 10 {
		writeNumbers(t, w, 1, n, n+1)
	}
	broker.Compact()
	got := readAll(t, conn, "state", 1)[0]
	if len(got) == 0 || len(got) == 10 || numberOf(got[len(got)-1]) != 9 {
		t.Errorf("%d records are left", len(got))
	}
}
