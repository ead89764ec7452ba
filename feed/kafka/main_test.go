package kafka_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	kafkatest "github.com/tapecast/tapecast/deploy/kafka"
	"github.com/tapecast/tapecast/feed"
	"github.com/tapecast/tapecast/feed/kafka"
	"github.com/tapecast/tapecast/feed/kafka/embedded"
)

// shared is the real broker of this test binary, started by the first test that
// wants one.
var shared struct {
	once   sync.Once
	broker *kafkatest.Broker
	err    error
	topics atomic.Int64
}

// suite stops the real broker before the check for leaked goroutines.
type suite struct{ *testing.M }

func (s suite) Run() int {
	code := s.M.Run()
	if shared.broker != nil {
		if err := shared.broker.Stop(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	return code
}

func TestMain(m *testing.M) { goleak.VerifyTestMain(suite{m}) }

// realBroker returns the shared real broker, or skips.
func realBroker(t testing.TB) *kafkatest.Broker {
	t.Helper()
	if testing.Short() {
		t.Skip("needs a real broker; not with -short")
	}
	shared.once.Do(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute) // Maven may have to fetch.
		defer cancel()
		shared.broker, shared.err = kafkatest.Start(ctx, kafkatest.Options{Users: []kafkatest.User{{Name: "tape", Password: "secret"}}})
	})
	kafkatest.Unavailable(t, shared.err)
	return shared.broker
}

// embeddedBroker starts an embedded broker for one test.
func embeddedBroker(t testing.TB, o embedded.Options) *embedded.Broker {
	t.Helper()
	broker, err := embedded.Start(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := broker.Close(); err != nil {
			t.Error(err)
		}
	})
	return broker
}

// onBoth runs a test on the embedded broker and on the real one.
func onBoth(t *testing.T, test func(t *testing.T, conn kafka.Conn)) {
	t.Helper()
	t.Run("embedded", func(t *testing.T) { test(t, connTo(embeddedBroker(t, embedded.Options{}).Addr())) })
	t.Run("real", func(t *testing.T) { test(t, connTo(realBroker(t).Addr())) })
}

func connTo(addr string) kafka.Conn { return kafka.Conn{Brokers: []string{addr}, ClientID: "test"} }

// within bounds a test: whatever hangs ends with an error instead.
func within(t testing.TB, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), d)
	t.Cleanup(cancel)
	return ctx
}

// newTopic creates a topic of its own for a test, without retention: numbers are
// written with the times of 1970.
func newTopic(t testing.TB, conn kafka.Conn, lanes int) string {
	t.Helper()
	name := strings.NewReplacer("/", ".", "#", ".").Replace(fmt.Sprintf("%s.%d", t.Name(), shared.topics.Add(1)))
	must(t, kafka.Ensure(within(t, 30*time.Second), conn, kafka.Topic{Name: name, Lanes: lanes, Retention: -1}))
	return name
}

func newWriter(t testing.TB, o kafka.WriterOptions) *kafka.Writer {
	t.Helper()
	w, err := kafka.NewWriter(within(t, 30*time.Second), o)
	must(t, err)
	t.Cleanup(func() { must(t, w.Close()) })
	return w
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// readAll returns all records of a topic by lane, with copied bytes.
func readAll(t testing.TB, conn kafka.Conn, topic string, lanes int) [][]kafka.Record {
	t.Helper()
	ctx := within(t, 30*time.Second)
	first, next, err := kafka.Offsets(ctx, conn, topic, lanes)
	must(t, err)
	return readRange(t, conn, topic, first, next)
}

func readRange(t testing.TB, conn kafka.Conn, topic string, from, to feed.Position) [][]kafka.Record {
	t.Helper()
	found := make([][]kafka.Record, len(from))
	must(t, kafka.Range(within(t, 30*time.Second), conn, topic, from, to, func(r kafka.Record) error {
		r.Key, r.Value = clone(r.Key), clone(r.Value)
		found[r.Lane] = append(found[r.Lane], r)
		return nil
	}))
	return found
}

// clone keeps nil apart from empty.
func clone(b []byte) []byte {
	if b == nil {
		return nil
	}
	return append([]byte{}, b...)
}
