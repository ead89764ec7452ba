package kafka_test

import (
	"testing"

	kafkago "github.com/segmentio/kafka-go"
	"pgregory.net/rapid"

	"github.com/tapecast/tapecast/feed"
)

// TestLanesAreThoseOfOtherClients compares our choice of a lane with that of
// Kafka's Java clients, as kafka-go has it.
func TestLanesAreThoseOfOtherClients(t *testing.T) {
	balancer := kafkago.Murmur2Balancer{Consistent: true}
	rapid.Check(t, func(t *rapid.T) {
		key := rapid.StringN(1, 40, -1).Draw(t, "key")
		lanes := rapid.IntRange(1, 64).Draw(t, "lanes")
		numbers := make([]int, lanes)
		for i := range numbers {
			numbers[i] = i
		}
		want := balancer.Balance(kafkago.Message{Key: []byte(key)}, numbers...)
		if got := feed.Lane(key, lanes); got != want {
			t.Fatalf("%q is on lane %d of %d, other clients have %d", key, got, lanes, want)
		}
	})
}
