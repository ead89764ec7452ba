package kafkatest_test

import (
	"context"
	"errors"
	"testing"
	"time"

	kafkatest "github.com/tapecast/tapecast/deploy/kafka"
	"github.com/tapecast/tapecast/feed/kafka"
)

func TestBrokerSurvivesKillAndRestart(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a real broker")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	broker, err := kafkatest.Start(ctx, kafkatest.Options{Dir: t.TempDir()})
	kafkatest.Unavailable(t, err)
	t.Cleanup(func() {
		if err := broker.Stop(); err != nil {
			t.Error(err)
		}
	})
	conn := kafka.Conn{Brokers: []string{broker.Addr()}}
	if err := kafka.Ensure(ctx, conn, kafka.Topic{Name: "kept", Lanes: 3}); err != nil {
		t.Fatal(err)
	}
	before := broker.Pid()
	if err := broker.Kill9(); err != nil {
		t.Fatal(err)
	}
	if err := broker.Kill9(); err == nil {
		t.Error("a dead broker was killed again")
	}
	if _, err := kafka.Verify(ctx, conn, "kept"); !errors.Is(err, kafka.ErrNoBroker) {
		t.Errorf("a dead broker answered: %v", err)
	}
	if err := broker.Restart(ctx); err != nil {
		t.Fatal(err)
	}
	if lanes, err := kafka.Verify(ctx, conn, "kept"); lanes != 3 || err != nil {
		t.Errorf("after the restart: %d lanes, %v", lanes, err)
	}
	if broker.Pid() == before {
		t.Error("the process did not change")
	}
}

func TestMissingJavaIsNamed(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	if _, err := kafkatest.Start(t.Context(), kafkatest.Options{}); !errors.Is(err, kafkatest.ErrUnavailable) {
		t.Errorf("without java: %v", err)
	}
}

func TestKillRefusesAnotherProcess(t *testing.T) {
	if err := kafkatest.CheckOwn(t); err == nil {
		t.Error("this test passes for a broker")
	}
}
