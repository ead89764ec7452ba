package kafka_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	kafkago "github.com/segmentio/kafka-go"

	"github.com/tapecast/tapecast/feed/kafka"
)

func TestEnsureCreatesOnceAndVerifies(t *testing.T) {
	onBoth(t, func(t *testing.T, conn kafka.Conn) {
		ctx := within(t, 20*time.Second)
		topic := newTopic(t, conn, 5)
		for range 2 {
			must(t, kafka.Ensure(ctx, conn, kafka.Topic{Name: topic, Lanes: 5}))
		}
		err := kafka.Ensure(ctx, conn, kafka.Topic{Name: topic, Lanes: 8})
		if err == nil || !strings.Contains(err.Error(), "has 5 lanes (partitions), not 8") {
			t.Errorf("another number of lanes got %v", err)
		}
		if _, err := kafka.Verify(ctx, conn, "never.made"); !errors.Is(err, kafka.ErrNoTopic) {
			t.Errorf("no topic got %v", err)
		}
		if err := kafka.Ensure(ctx, conn, kafka.Topic{Name: "a b", Lanes: 1}); err == nil {
			t.Error("a bad name was accepted")
		}
		if err := kafka.Ensure(ctx, conn, kafka.Topic{Name: "x"}); err == nil {
			t.Error("no lanes were accepted")
		}
	})
}

func TestEnsureSetsTheTopicUp(t *testing.T) {
	onBoth(t, func(t *testing.T, conn kafka.Conn) {
		ctx := within(t, 20*time.Second)
		name := strings.ReplaceAll(t.Name(), "/", ".")
		must(t, kafka.Ensure(ctx, conn, kafka.Topic{Name: name, Lanes: 1, Retention: 90 * time.Minute, Segment: 5 * time.Minute}))
		must(t, kafka.Ensure(ctx, conn, kafka.Topic{Name: name + ".state", Lanes: 1, Compact: true}))
		expectConfig(t, conn, name, map[string]string{"retention.ms": "5400000", "segment.ms": "300000", "cleanup.policy": "delete", "message.timestamp.type": "CreateTime"})
		expectConfig(t, conn, name+".state", map[string]string{"cleanup.policy": "compact", "retention.ms": "-1"})
	})
}

func expectConfig(t *testing.T, conn kafka.Conn, topic string, want map[string]string) {
	t.Helper()
	transport := &kafkago.Transport{}
	defer transport.CloseIdleConnections()
	client := &kafkago.Client{Addr: kafkago.TCP(conn.Brokers...), Transport: transport}
	answer, err := client.DescribeConfigs(within(t, 10*time.Second), &kafkago.DescribeConfigsRequest{
		Resources: []kafkago.DescribeConfigRequestResource{{ResourceType: kafkago.ResourceTypeTopic, ResourceName: topic}},
	})
	must(t, err)
	got := map[string]string{}
	for _, entry := range answer.Resources[0].ConfigEntries {
		got[entry.ConfigName] = entry.ConfigValue
	}
	for name, value := range want {
		if got[name] != value {
			t.Errorf("%s of %s is %q, not %q", name, topic, got[name], value)
		}
	}
}
