package kafka_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/tapecast/tapecast/feed"
	"github.com/tapecast/tapecast/feed/kafka"
	"github.com/tapecast/tapecast/feed/kafka/embedded"
)

// roundTrip writes and reads one record with every kind of connection we make.
func roundTrip(t *testing.T, conn kafka.Conn) {
	t.Helper()
	must(t, kafka.Await(within(t, 10*time.Second), conn))
	topic := newTopic(t, conn, 1)
	w := newWriter(t, kafka.WriterOptions{Conn: conn, Topic: topic, Lanes: 1, TransactionalID: topic})
	writeNumbers(t, w, 1, 0, 3)
	if got := readAll(t, conn, topic, 1); len(got[0]) != 3 {
		t.Fatalf("%d records came back of 3", len(got[0]))
	}
	batches, _ := follow(t, kafka.ReaderOptions{Conn: conn, Topic: topic, Lanes: 1, From: feed.Position{0}})
	expectNumbers(t, batches, 1, 0, 3)
	group := joinGroup(t, kafka.GroupOptions{Conn: conn, Topic: topic, Lanes: 1, Group: topic})
	eventually(t, "the group reads", func() bool { return group.count() == 3 })
}

func TestTLS(t *testing.T) {
	certificate, authorities := certificateFor(t, "127.0.0.1")
	broker := embeddedBroker(t, embedded.Options{TLS: &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12}})
	conn := connTo(broker.Addr())
	conn.TLS = &tls.Config{RootCAs: authorities, MinVersion: tls.VersionTLS12}
	roundTrip(t, conn)

	conn.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
	expectError(t, conn, nil, "not trusted")
	conn.TLS = nil
	expectError(t, conn, kafka.ErrNoBroker, "want TLS or SASL")
}

func TestTLSWhereNoneIsSpoken(t *testing.T) {
	conn := connTo(realBroker(t).Addr())
	conn.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
	expectError(t, conn, kafka.ErrNoBroker, "TLS")
}

// certificateFor makes a self-signed certificate and the pool that trusts it.
func certificateFor(t *testing.T, address string) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	page := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "broker"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.ParseIP(address)}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	raw, err := x509.CreateCertificate(rand.Reader, page, page, &key.PublicKey, key)
	must(t, err)
	parsed, err := x509.ParseCertificate(raw)
	must(t, err)
	pool := x509.NewCertPool()
	pool.AddCert(parsed)
	return tls.Certificate{Certificate: [][]byte{raw}, PrivateKey: key}, pool
}

func TestSASL(t *testing.T) {
	t.Run("embedded", func(t *testing.T) {
		testSASL(t, func(t *testing.T) string {
			var users []embedded.User
			for _, mechanism := range []string{"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"} {
				users = append(users, embedded.User{Mechanism: mechanism, Name: "tape", Password: "secret"})
			}
			return embeddedBroker(t, embedded.Options{Users: users}).Addr()
		})
	})
	t.Run("real", func(t *testing.T) {
		testSASL(t, func(t *testing.T) string { return realBroker(t).SASLAddr() })
	})
}

func testSASL(t *testing.T, start func(*testing.T) string) {
	for _, mechanism := range []string{"plain", "scram-sha-256", "SCRAM-SHA-512"} {
		t.Run(mechanism, func(t *testing.T) {
			conn := connTo(start(t))
			conn.SASL = kafka.SASL{Mechanism: mechanism, User: "tape", Password: "secret"}
			roundTrip(t, conn)
			conn.SASL.Password = "wrong"
			said := expectError(t, conn, kafka.ErrAuth, `user "tape"`)
			for _, text := range []string{said, fmt.Sprintf("%v %+v %#v", conn.SASL, conn.SASL, conn.SASL)} {
				if strings.Contains(text, "wrong") {
					t.Errorf("the password is in %q", text)
				}
			}
			conn.SASL = kafka.SASL{}
			expectError(t, conn, kafka.ErrNoBroker, "want TLS or SASL")
		})
	}
}

func TestNobodyThere(t *testing.T) {
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	must(t, err)
	addr := listener.Addr().String()
	must(t, listener.Close())
	expectError(t, connTo(addr), kafka.ErrNoBroker, "no broker answered at "+addr, "is it running?")

	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := kafka.Await(ctx, connTo(addr)); !errors.Is(err, kafka.ErrNoBroker) {
		t.Errorf("waiting for nobody got %v", err)
	}
}

func TestOneBrokerOfSeveralIsEnough(t *testing.T) {
	conn := connTo(embeddedBroker(t, embedded.Options{}).Addr())
	conn.Brokers = append([]string{"127.0.0.1:1"}, conn.Brokers...)
	roundTrip(t, conn)
}

// expectError expects that Ensure fails with this error, in one line that
// contains the texts, and returns the line.
func expectError(t *testing.T, conn kafka.Conn, is error, texts ...string) string {
	t.Helper()
	err := kafka.Ensure(within(t, 10*time.Second), conn, kafka.Topic{Name: "x", Lanes: 1})
	if err == nil || is != nil && !errors.Is(err, is) {
		t.Fatalf("got %v, not %v", err, is)
	}
	for _, text := range texts {
		if !strings.Contains(err.Error(), text) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%q is not one line with %q", err, text)
		}
	}
	return err.Error()
}
