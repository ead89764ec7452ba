package server_test

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"io"
	"math/big"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// startSecure starts a server that speaks TLS, with a certificate of its own.
func startSecure(t *testing.T) *node {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	about := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, about, about, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	ln, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	n := startNodeOn(t, tls.NewListener(ln, &tls.Config{
		Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}, NextProtos: []string{"http/1.1"},
	}), nil)
	n.url = "https://" + ln.Addr().String()
	pool := x509.NewCertPool()
	pool.AddCert(cert)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}
	t.Cleanup(transport.CloseIdleConnections)
	n.http = &http.Client{Transport: transport}
	return n
}

// config returns what a client's own connection trusts.
func (n *node) config() *tls.Config {
	n.t.Helper()
	transport, ok := n.http.Transport.(*http.Transport)
	if !ok {
		n.t.Fatalf("a %T", n.http.Transport)
	}
	return transport.TLSClientConfig.Clone()
}

// until returns the next message of a type.
func (e *sse) until(kind string) message {
	e.t.Helper()
	for {
		if m := e.next(); m.Type == kind {
			return m
		}
	}
}

// TestTLS asks on every transport, and for the end.
func TestTLS(t *testing.T) {
	n := startSecure(t)
	n.trades("AAPL", 3)
	w := n.open("/v1/stream?symbols=AAPL")
	e := n.listen("/v1/events?symbols=AAPL&channels=trades")
	first := n.poll("symbols=AAPL")
	for kind, seq := range map[string]uint64{"stream": w.until("snapshot").Trade.Seq, "events": e.until("snapshot").Trade.Seq, "poll": first.Messages[0].Trade.Seq} {
		if seq != 3 {
			t.Errorf("%s: a snapshot at trade %d", kind, seq)
		}
	}
	n.trades("AAPL", 200)
	for seq := uint64(4); seq <= 203; seq++ {
		if m := w.want("trade"); m.Seq != seq {
			t.Fatalf("stream: trade %d, want %d", m.Seq, seq)
		}
		if m := e.want("trade"); m.Seq != seq {
			t.Fatalf("events: trade %d, want %d", m.Seq, seq)
		}
	}
	if a := n.poll("symbols=AAPL&cursor=" + first.Next); len(a.Messages) != 200 {
		t.Errorf("%d messages", len(a.Messages))
	}
	w.send(`{"op":"subscribe","id":"1","symbols":["MSFT"]}`)
	if m := w.until("subscribed"); m.ID != "1" {
		t.Errorf("%+v", m)
	}
	ended := make(chan time.Duration, 1)
	go func() { ended <- n.stop() }()
	if m := w.until("bye"); m.Code != "draining" {
		t.Errorf("%+v", m)
	}
	if m := e.until("bye"); m.Code != "draining" {
		t.Errorf("%+v", m)
	}
	if _, err := io.ReadAll(e.r); err != nil {
		t.Errorf("events ended with %v", err)
	}
	_ = w.conn.CloseNow()
	<-ended
}

// TestTLSPipelined sends commands right behind the handshake of a WebSocket, in
// one record, of which the framework has read more than its part.
func TestTLSPipelined(t *testing.T) {
	n := startSecure(t)
	address := strings.TrimPrefix(n.url, "https://")
	c, err := (&tls.Dialer{Config: n.config()}).DialContext(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	handshake := "GET /v1/stream HTTP/1.1\r\nHost: " + address + "\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
	command := `{"op":"ping","id":"7"}`
	frame := append([]byte{0x81, 0x80 | byte(len(command)), 0, 0, 0, 0}, command...)
	if _, err := c.Write(append([]byte(handshake), frame...)); err != nil {
		t.Fatal(err)
	}
	in := bufio.NewReader(c)
	var got strings.Builder
	for b := make([]byte, 512); !strings.Contains(got.String(), `"pong"`); {
		k, err := in.Read(b)
		got.Write(b[:k])
		if err != nil {
			t.Fatalf("%v after %q", err, got.String())
		}
	}
	if !strings.HasPrefix(got.String(), "HTTP/1.1 101 ") {
		t.Errorf("got %q", got.String())
	}
}

// TestTLSRefusesOthers has clients that speak no TLS, or end in the middle: they
// get nothing, and nothing of them is left.
func TestTLSRefusesOthers(t *testing.T) {
	n := startSecure(t)
	address := strings.TrimPrefix(n.url, "https://")
	for _, words := range []string{"GET / HTTP/1.1\r\n\r\n", "\x16\x03\x01", ""} {
		c, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(c, words); err != nil {
			t.Fatal(err)
		}
		if words == "" {
			defer c.Close() // open until the server ends
			continue
		}
		c.Close()
	}
	if r := n.do(http.MethodGet, "/healthz", ""); r.status != http.StatusOK {
		t.Errorf("%+v", r)
	}
}
