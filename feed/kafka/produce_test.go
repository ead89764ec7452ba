package kafka

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/segmentio/kafka-go"
)

func TestWhichAnswersAreFinal(t *testing.T) {
	w := &Writer{conn: Conn{Brokers: []string{"broker:9092"}}, topic: "tape", id: "feeder"}
	for _, err := range []error{
		nil, io.ErrUnexpectedEOF, kafka.NotLeaderForPartition, kafka.LeaderNotAvailable, kafka.RequestTimedOut, kafka.NotEnoughReplicas,
		kafka.BrokerNotAvailable, kafka.UnknownTopicOrPartition, kafka.ConcurrentTransactions, kafka.GroupLoadInProgress,
		kafka.NotCoordinatorForGroup, kafka.KafkaStorageError, unanswered,
	} {
		if final := w.final(wrapped(err)); final != nil {
			t.Errorf("%v is final: %v", err, final)
		}
	}
	for code, want := range map[kafka.Error]error{
		kafka.InvalidProducerEpoch: ErrFenced, kafka.ProducerFenced: ErrFenced,
		kafka.OutOfOrderSequenceNumber: ErrSequence, kafka.UnknownProducerId: ErrSequence,
		kafka.TopicAuthorizationFailed: ErrAuth, kafka.SASLAuthenticationFailed: ErrAuth, kafka.ClusterAuthorizationFailed: ErrAuth,
		kafka.MessageSizeTooLarge: kafka.MessageSizeTooLarge, kafka.InvalidMessage: kafka.InvalidMessage, kafka.InvalidTimestamp: kafka.InvalidTimestamp,
	} {
		final := w.final(wrapped(code))
		if !errors.Is(final, want) || strings.Contains(final.Error(), "\n") {
			t.Errorf("%v: got %v, want %v", code, final, want)
		}
	}
}

func wrapped(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("lane 3: %w", err)
}

func TestDuplicateCountsAsAcknowledged(t *testing.T) {
	for code, retry := range map[kafka.Error]bool{0: false, kafka.DuplicateSequenceNumber: false, unanswered: true, kafka.NotLeaderForPartition: true} {
		if got := (answer{code: code}).problem(1) != nil; got != retry {
			t.Errorf("code %d is tried again: %v", code, got)
		}
	}
}

func TestOutageIsReportedNowAndThen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		o := outageLog{log: slog.New(slog.NewTextHandler(&out, nil)), what: "read"}
		o.over(t.Context()) // There was none.
		for range 120 {
			o.note(t.Context(), io.EOF)
			time.Sleep(100 * time.Millisecond)
		}
		o.over(t.Context())
		o.over(t.Context())
		if warned, over := strings.Count(out.String(), "level=WARN"), strings.Count(out.String(), "outage=12s"); warned != 3 || over != 1 {
			t.Errorf("%d warnings and %d ends in\n%s", warned, over, out.String())
		}
	})
}
