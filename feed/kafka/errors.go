package kafka

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/segmentio/kafka-go"
)

// Errors of this package that callers act on; test them with errors.Is.
var (
	// ErrFenced says that a newer writer has taken over the transactional id:
	// this one has to stop.
	ErrFenced = errors.New("a newer writer has taken over")
	// ErrSequence says that the broker's count of what it has from this writer
	// disagrees with ours: records were lost on the broker, or never arrived.
	ErrSequence = errors.New("the broker misses earlier records of this writer")
	// ErrTruncated says that a lane ends before our position: the tape was
	// rebuilt or replaced, and reading on would skip what comes next.
	ErrTruncated = errors.New("the lane ends before our position")
	// ErrNoTopic says that the topic does not exist.
	ErrNoTopic = errors.New("no such topic")
	// ErrNoBroker says that no broker could be reached.
	ErrNoBroker = errors.New("no broker answered")
	// ErrAuth says that the broker refused our name, password or rights.
	ErrAuth = errors.New("the broker refused us")
)

// explain turns what went wrong on the way to the broker at addr into one line
// that says what to do. It returns nil for nil and leaves our own errors alone.
func (c Conn) explain(addr string, err error) error {
	var (
		code      kafka.Error
		authority x509.UnknownAuthorityError
		hostname  x509.HostnameError
		record    tls.RecordHeaderError
	)
	switch {
	case err == nil || errors.Is(err, context.Canceled):
		return err
	case strings.HasPrefix(err.Error(), "kafka: "):
		return err
	case errors.As(err, &authority), errors.As(err, &hostname):
		return fmt.Errorf("kafka: the certificate of %s is not trusted: %w: give the authority that signed it, and the name it was signed for", addr, err)
	case errors.As(err, &record):
		return fmt.Errorf("kafka: %s does not speak TLS: %w: turn TLS off, or use the broker's TLS port", addr, err)
	case errors.As(err, &code):
		return c.explainCode(addr, code)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("kafka: %w at %s: it closed the connection (%w): does this port want TLS or SASL, or other ones?", ErrNoBroker, addr, err)
	case errors.Is(err, context.DeadlineExceeded) && c.TLS != nil:
		return fmt.Errorf("kafka: %w at %s in time (%w): is it running, and does this port speak TLS?", ErrNoBroker, addr, err)
	default:
		return fmt.Errorf("kafka: %w at %s (%w): is it running? Check the broker addresses", ErrNoBroker, addr, err)
	}
}

// explainCode is explain for an answer that carries an error code.
func (c Conn) explainCode(addr string, code kafka.Error) error {
	switch code {
	case kafka.SASLAuthenticationFailed, kafka.IllegalSASLState:
		return fmt.Errorf("kafka: %w: %s does not accept user %q with this password (%s): check user, password and mechanism", ErrAuth, addr, c.SASL.User, c.SASL.Mechanism)
	case kafka.UnsupportedSASLMechanism:
		return fmt.Errorf("kafka: %w: %s does not offer the SASL mechanism %q: use another of plain, scram-sha-256, scram-sha-512", ErrAuth, addr, c.SASL.Mechanism)
	case kafka.TopicAuthorizationFailed, kafka.GroupAuthorizationFailed, kafka.ClusterAuthorizationFailed, kafka.TransactionalIDAuthorizationFailed:
		return fmt.Errorf("kafka: %w: user %q lacks rights at %s (%w): ask for an ACL", ErrAuth, c.SASL.User, addr, code)
	default:
		return fmt.Errorf("kafka: %s answered: %w", addr, code)
	}
}
