package kafka

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/sasl"
	"github.com/segmentio/kafka-go/sasl/plain"
	"github.com/segmentio/kafka-go/sasl/scram"
)

// dialTimeout bounds one try to reach one broker, TLS and SASL included.
const dialTimeout = 5 * time.Second

// requestTimeout bounds one request and its answer.
const requestTimeout = 10 * time.Second

// Conn says how to reach the cluster. It is a value: copy it freely. Every type
// and function of this package takes one.
type Conn struct {
	// Brokers are host:port addresses to begin with; one that answers is enough.
	Brokers []string
	// TLS is nil for plain connections. It is not changed.
	TLS *tls.Config
	// SASL is the zero value for none.
	SASL SASL
	// ClientID names us in the broker's logs and quotas. May be empty.
	ClientID string
	// Log gets outages and recoveries. Nil for none.
	Log *slog.Logger
}

// SASL is a name and a password. The password is never logged.
type SASL struct {
	// Mechanism is plain, scram-sha-256 or scram-sha-512; empty for no SASL.
	Mechanism string
	// User and Password as the broker knows them.
	User, Password string
}

// String hides the password from logs and error texts.
func (s SASL) String() string { return s.Mechanism + ":" + s.User }

// GoString hides the password from %#v.
func (s SASL) GoString() string { return s.String() }

// Await waits until a broker answers, trying again with growing pauses. It
// returns nil then, and otherwise, once ctx ends, why the last try failed. A
// refused password ends it at once.
func Await(ctx context.Context, c Conn) error {
	pause := backoff{low: 20 * time.Millisecond, high: 500 * time.Millisecond}
	for {
		conn, err := c.dialAny(ctx)
		if err == nil {
			return conn.Close()
		}
		if !errors.Is(err, ErrNoBroker) || pause.wait(ctx) != nil {
			return err
		}
	}
}

// check reports options that can't work, before anything is dialled.
func (c Conn) check() error {
	if len(c.Brokers) == 0 {
		return errors.New("kafka: no broker address given: name at least one host:port")
	}
	for _, addr := range c.Brokers {
		if _, _, err := net.SplitHostPort(addr); err != nil {
			return fmt.Errorf("kafka: broker address %q is not host:port: %w", addr, err)
		}
	}
	_, err := c.SASL.mechanism()
	return err
}

// logger returns Log, or one that drops everything.
func (c Conn) logger() *slog.Logger {
	if c.Log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return c.Log
}

// mechanism is nil without SASL.
func (s SASL) mechanism() (sasl.Mechanism, error) {
	switch strings.ToLower(s.Mechanism) {
	case "":
		return nil, nil
	case "plain":
		return plain.Mechanism{Username: s.User, Password: s.Password}, nil
	case "scram-sha-256":
		return scram.Mechanism(scram.SHA256, s.User, s.Password)
	case "scram-sha-512":
		return scram.Mechanism(scram.SHA512, s.User, s.Password)
	default:
		return nil, fmt.Errorf("kafka: unknown SASL mechanism %q: use plain, scram-sha-256 or scram-sha-512", s.Mechanism)
	}
}

// dialer opens single connections; its errors name the cause better than a
// transport's do.
func (c Conn) dialer() (*kafka.Dialer, error) {
	mechanism, err := c.SASL.mechanism()
	if err != nil {
		return nil, err
	}
	return &kafka.Dialer{
		ClientID:      c.ClientID,
		DialFunc:      (&net.Dialer{Timeout: dialTimeout}).DialContext,
		Timeout:       dialTimeout,
		TLS:           c.TLS,
		SASLMechanism: mechanism,
	}, nil
}

// dialAny connects to the first broker that answers. The caller closes it.
func (c Conn) dialAny(ctx context.Context) (*kafka.Conn, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	dialer, err := c.dialer()
	if err != nil {
		return nil, err
	}
	var first error
	for _, addr := range c.Brokers {
		conn, err := dialer.DialContext(ctx, "tcp", addr)
		if err == nil {
			if err = greet(conn); err == nil {
				return conn, nil
			}
			_ = conn.Close()
		}
		if first == nil || errors.Is(err, kafka.SASLAuthenticationFailed) {
			first = c.explain(addr, err)
		}
	}
	return nil, first
}

// greet makes sure that a broker, and not just a socket, is at the other end.
func greet(conn *kafka.Conn) error {
	if err := conn.SetDeadline(time.Now().Add(dialTimeout)); err != nil {
		return err
	}
	_, err := conn.ApiVersions()
	return err
}

// transport pools connections to all brokers. The caller closes its idle
// connections in the end. With a topic it only keeps that topic's layout.
func (c Conn) transport(topic string) (*kafka.Transport, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	mechanism, err := c.SASL.mechanism()
	if err != nil {
		return nil, err
	}
	transport := &kafka.Transport{
		ClientID:    c.ClientID,
		Dial:        (&net.Dialer{Timeout: dialTimeout}).DialContext,
		DialTimeout: dialTimeout,
		TLS:         c.TLS,
		SASL:        mechanism,
	}
	if topic != "" {
		transport.MetadataTopics = []string{topic}
	}
	return transport, nil
}

// client wraps a transport for the calls that kafka-go offers on a Client.
func (c Conn) client(transport *kafka.Transport) *kafka.Client {
	return &kafka.Client{Addr: kafka.TCP(c.Brokers...), Timeout: requestTimeout, Transport: transport}
}

// withClient runs use with a client that lives for this call alone, so that
// nothing it knows of the cluster is out of date.
func (c Conn) withClient(topic string, use func(*kafka.Client) error) error {
	transport, err := c.transport(topic)
	if err != nil {
		return err
	}
	defer transport.CloseIdleConnections()
	return use(c.client(transport))
}
