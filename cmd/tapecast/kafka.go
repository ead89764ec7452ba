package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/tapecast/tapecast/feed/kafka"
)

// kafkaConfig says where the tape is.
type kafkaConfig struct {
	brokers   []string
	topic     string
	bars      string
	lanes     int
	retention time.Duration
	tls       bool
	ca        string
	sasl      kafka.SASL
}

// Topics are bound to these names, of which a version is a part.
const (
	ticksTopic = "tapecast.ticks.v1"
	barsTopic  = "tapecast.bars.v1"
)

// barsRetention is how long the history of minute bars is kept.
const barsRetention = 35 * 24 * time.Hour

// bind binds the flags of a role that reads the tape.
func (c *kafkaConfig) bind(flags *pflag.FlagSet) {
	flags.StringSliceVar(&c.brokers, "kafka", []string{"127.0.0.1:9092"}, "Kafka brokers to begin with, host:port,…")
	flags.StringVar(&c.topic, "topic", ticksTopic, "topic of the ticks: one tape")
	flags.StringVar(&c.bars, "bars-topic", barsTopic, "topic of the minute bars of that tape")
	flags.BoolVar(&c.tls, "kafka-tls", false, "connect to Kafka by TLS")
	flags.StringVar(&c.ca, "kafka-ca", "", "file with the certificates to trust instead of the system's (PEM)")
	flags.StringVar(&c.sasl.Mechanism, "kafka-sasl", "", "plain, scram-sha-256 or scram-sha-512 (default none)")
	flags.StringVar(&c.sasl.User, "kafka-user", "", "name for --kafka-sasl")
	flags.StringVar(&c.sasl.Password, "kafka-password", "", "password for --kafka-sasl; better in "+variable("kafka-password"))
}

// bindTape binds the flags of the role that makes the topics.
func (c *kafkaConfig) bindTape(flags *pflag.FlagSet) {
	flags.IntVar(&c.lanes, "lanes", 8, "lanes (partitions) of a new tape; fixed for its life")
	flags.DurationVar(&c.retention, "retention", 24*time.Hour, "how long a new tape keeps its ticks")
}

func (c *kafkaConfig) conn(role string, log *slog.Logger) (kafka.Conn, error) {
	conn := kafka.Conn{Brokers: c.brokers, SASL: c.sasl, ClientID: "tapecast-" + role, Log: log}
	if !c.tls && c.ca != "" {
		return conn, fmt.Errorf("--kafka-ca is of use only with --kafka-tls")
	}
	if !c.tls {
		return conn, nil
	}
	conn.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
	if c.ca == "" {
		return conn, nil
	}
	pem, err := os.ReadFile(c.ca)
	if err != nil {
		return conn, fmt.Errorf("--kafka-ca: %w", err)
	}
	conn.TLS.RootCAs = x509.NewCertPool()
	if !conn.TLS.RootCAs.AppendCertsFromPEM(pem) {
		return conn, fmt.Errorf("--kafka-ca: %s holds no certificate in PEM form", c.ca)
	}
	return conn, nil
}

// segment returns how long a segment of a topic may be written to: Kafka deletes
// only whole ones, so a tape keeps its retention and up to that much more.
func segment(retention time.Duration) time.Duration {
	return max(retention/16, time.Minute)
}

// ensure makes the tape's topics, or verifies them.
func (c *kafkaConfig) ensure(ctx context.Context, conn kafka.Conn) error {
	ticks := kafka.Topic{Name: c.topic, Lanes: c.lanes, Retention: c.retention, Segment: segment(c.retention)}
	if err := kafka.Ensure(ctx, conn, ticks); err != nil {
		return err
	}
	return kafka.Ensure(ctx, conn, kafka.Topic{
		Name: c.bars, Lanes: c.lanes, Retention: barsRetention, Segment: 24 * time.Hour,
	})
}

// patience is how long a role that was just started waits for Kafka before it
// says that it waits, and again after that.
const patience = 5 * time.Second

// await waits until a broker answers. A role may be started before its broker.
func await(ctx context.Context, conn kafka.Conn, log *slog.Logger) error {
	for {
		try, cancel := context.WithTimeout(ctx, patience)
		err := kafka.Await(try, conn)
		waited := try.Err() != nil
		cancel()
		if err == nil || ctx.Err() != nil || !waited {
			return err
		}
		log.Warn("waiting for Kafka", "brokers", strings.Join(conn.Brokers, ","), "error", err)
	}
}

// awaitTopic waits until a topic exists and returns its number of lanes. A reader
// may be started before the feeder that makes the topic.
func awaitTopic(ctx context.Context, conn kafka.Conn, topic string, log *slog.Logger) (int, error) {
	ticker := time.NewTicker(200 * time.Millisecond)
	defer ticker.Stop()
	for n := 0; ; n++ {
		lanes, err := kafka.Verify(ctx, conn, topic)
		if err == nil || !isNoTopic(err) {
			return lanes, err
		}
		if n%25 == 0 {
			log.Warn("waiting for the topic: the feeder makes it", "topic", topic)
		}
		select {
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-ticker.C:
		}
	}
}
