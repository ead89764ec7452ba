package kafka

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/segmentio/kafka-go"
)

// Topic describes a topic to create or verify.
type Topic struct {
	// Name of the topic.
	Name string
	// Lanes is the number of partitions, fixed for the life of the topic.
	Lanes int
	// Retention is how long records are kept by their own time: zero for the
	// broker's default (for ever if compacted), negative for ever.
	Retention time.Duration
	// Segment is the longest time a log segment is written to: only closed
	// segments are deleted, so keep it below Retention. Zero for the default.
	Segment time.Duration
	// Compact keeps the newest record per key instead of all of them.
	Compact bool
}

// Ensure creates the topic, or verifies that it has the lanes asked for. It
// waits within ctx for a cluster that is still electing its controller. Its
// errors are one line each: wrong lane count, refused login, no broker.
// Settings of a topic that exists already are left as they are.
func Ensure(ctx context.Context, c Conn, t Topic) error {
	if !validName(t.Name) || t.Lanes < 1 {
		return fmt.Errorf("kafka: topic %q with %d lanes: give a name of letters, digits, dots, dashes and underscores, and at least one lane", t.Name, t.Lanes)
	}
	lanes, err := Verify(ctx, c, t.Name)
	if errors.Is(err, ErrNoTopic) {
		if err = create(ctx, c, t); err != nil {
			return err
		}
		lanes, err = awaitTopic(ctx, c, t.Name)
	}
	if err != nil {
		return err
	}
	return checkLanes(t.Name, lanes, t.Lanes)
}

// validName reports whether Kafka takes the name for a topic.
func validName(name string) bool {
	const longest = 249
	strange := strings.ContainsFunc(name, func(r rune) bool {
		return !strings.ContainsRune("._-", r) && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
	})
	return name != "" && len(name) <= longest && !strange && name != "." && name != ".."
}

// Verify returns the number of lanes of a topic, or an error that wraps
// ErrNoTopic, ErrNoBroker or ErrAuth. It never creates the topic.
func Verify(ctx context.Context, c Conn, topic string) (int, error) {
	probe, err := c.dialAny(ctx)
	if err != nil {
		return 0, err
	}
	_ = probe.Close()
	leaders, err := leaders(ctx, c, topic)
	return len(leaders), err
}

// checkLanes compares what is there with what was asked for.
func checkLanes(topic string, have, want int) error {
	if have == want {
		return nil
	}
	return fmt.Errorf("kafka: topic %q has %d lanes (partitions), not %d: the number is fixed for the life of a tape; ask for %d lanes, or use a new topic", topic, have, want, have)
}

// leaders returns the leading broker of each lane, freshly asked for. A lane
// without a leader has an ID below zero.
func leaders(ctx context.Context, c Conn, topic string) ([]kafka.Broker, error) {
	var found []kafka.Broker
	err := c.withClient(topic, func(client *kafka.Client) error {
		answer, err := client.Metadata(ctx, &kafka.MetadataRequest{Topics: []string{topic}})
		if err != nil {
			return c.explain(strings.Join(c.Brokers, ", "), err)
		}
		found, err = leadersOf(c, topic, answer)
		return err
	})
	return found, err
}

// leadersOf reads the leaders of a topic from a metadata answer.
func leadersOf(c Conn, topic string, answer *kafka.MetadataResponse) ([]kafka.Broker, error) {
	brokers := strings.Join(c.Brokers, ", ")
	for _, t := range answer.Topics {
		if t.Name != topic {
			continue
		}
		if errors.Is(t.Error, kafka.UnknownTopicOrPartition) {
			break
		}
		if t.Error != nil {
			return nil, c.explain(brokers, t.Error)
		}
		found := make([]kafka.Broker, len(t.Partitions))
		for _, p := range t.Partitions {
			if p.ID < 0 || p.ID >= len(found) {
				return nil, fmt.Errorf("kafka: topic %q has partition %d of %d: ask again", topic, p.ID, len(found))
			}
			found[p.ID] = p.Leader
			if p.Leader.Host == "" {
				found[p.ID].ID = -1
			}
		}
		return found, nil
	}
	return nil, fmt.Errorf("kafka: %w: %q at %s: start the role that writes it first, or check its name", ErrNoTopic, topic, brokers)
}

// create asks for a new topic. One that appears meanwhile is fine.
func create(ctx context.Context, c Conn, t Topic) error {
	pause := backoff{low: 50 * time.Millisecond, high: 500 * time.Millisecond}
	config := t.config()
	for {
		err := createOnce(ctx, c, t, config)
		switch {
		case err == nil, errors.Is(err, kafka.TopicAlreadyExists):
			return nil
		case errors.Is(err, kafka.InvalidConfiguration) && len(config) > 0 && config[len(config)-1].ConfigName == timestampLimit:
			config = config[:len(config)-1] // A broker before 3.6 has no such limit.
		case electing(err) && pause.wait(ctx) == nil:
		default:
			return fmt.Errorf("kafka: topic %q was not created: %w", t.Name, c.explain(strings.Join(c.Brokers, ", "), err))
		}
	}
}

// electing reports whether a cluster that is starting answers like this.
func electing(err error) bool {
	var code kafka.Error
	return errors.As(err, &code) && (code.Temporary() || code == kafka.BrokerNotAvailable || code == kafka.Unknown || code == kafka.InvalidReplicationFactor)
}

func createOnce(ctx context.Context, c Conn, t Topic, config []kafka.ConfigEntry) error {
	return c.withClient("", func(client *kafka.Client) error {
		answer, err := client.CreateTopics(ctx, &kafka.CreateTopicsRequest{Topics: []kafka.TopicConfig{{
			Topic: t.Name, NumPartitions: t.Lanes, ReplicationFactor: -1, ConfigEntries: config,
		}}})
		if err != nil {
			return err
		}
		return answer.Errors[t.Name]
	})
}

// timestampLimit is how far in the future a record may be: an accelerated
// market runs ahead of the broker's clock. Last in the list; see create.
const timestampLimit = "message.timestamp.after.max.ms"

// config lists the settings of a new topic.
func (t Topic) config() []kafka.ConfigEntry {
	entries := []kafka.ConfigEntry{{ConfigName: "message.timestamp.type", ConfigValue: "CreateTime"}}
	add := func(name, value string) {
		entries = append(entries, kafka.ConfigEntry{ConfigName: name, ConfigValue: value})
	}
	if t.Compact {
		add("cleanup.policy", "compact")
	} else {
		add("cleanup.policy", "delete")
	}
	switch {
	case t.Retention > 0:
		add("retention.ms", millis(t.Retention))
	case t.Retention < 0, t.Compact: // The embedded broker's age limit knows no policy.
		add("retention.ms", "-1")
	}
	if t.Segment > 0 {
		add("segment.ms", millis(t.Segment))
	}
	add(timestampLimit, "9223372036854775807")
	return entries
}

func millis(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }

// awaitTopic waits until a topic just created has a leader for each lane.
func awaitTopic(ctx context.Context, c Conn, topic string) (int, error) {
	pause := backoff{low: 10 * time.Millisecond, high: 200 * time.Millisecond}
	for {
		found, err := leaders(ctx, c, topic)
		if err == nil && allLed(found) {
			return len(found), nil
		}
		if err != nil && !errors.Is(err, ErrNoTopic) && !electing(err) {
			return 0, err
		}
		if pause.wait(ctx) != nil {
			return 0, fmt.Errorf("kafka: topic %q was created, but its lanes have no leader yet: %w", topic, ctx.Err())
		}
	}
}

func allLed(brokers []kafka.Broker) bool {
	for _, b := range brokers {
		if b.ID < 0 {
			return false
		}
	}
	return len(brokers) > 0
}
