package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"
)

// writePair writes a new certificate for loopback and its key, and returns what
// trusts it.
func writePair(t *testing.T, c tlsConfig, serial int64) *x509.CertPool {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	about := &x509.Certificate{
		SerialNumber: big.NewInt(serial), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA: true, BasicConstraintsValid: true,
	}
	cert, err := x509.CreateCertificate(rand.Reader, about, about, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	b := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert})
	writeFile(t, c.cert, b, serial)
	writeFile(t, c.key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}), serial)
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(b)
	return pool
}

// writeFile writes a file of a certain age.
func writeFile(t *testing.T, name string, b []byte, stamp int64) {
	t.Helper()
	if err := os.WriteFile(name, b, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(name, time.Time{}, time.Unix(stamp, 0)); err != nil {
		t.Fatal(err)
	}
}

func pairIn(dir string) tlsConfig {
	return tlsConfig{cert: filepath.Join(dir, "cert.pem"), key: filepath.Join(dir, "key.pem")}
}

// TestNodeSpeaksTLS starts a node with a certificate: it answers https and wss.
func TestNodeSpeaksTLS(t *testing.T) {
	broker := startEmbedded(t)
	start(t, "feed", "--kafka", broker)
	start(t, "bars", "--kafka", broker)
	files := pairIn(t.TempDir())
	pool := writePair(t, files, 1)
	address := freeAddr(t)
	p := start(t, "node", "--kafka", broker, "--listen", address, "--admin-listen", "127.0.0.1:0", "--tls-cert", files.cert, "--tls-key", files.key)

	// A client that would rather speak HTTP/2.
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, ForceAttemptHTTP2: true}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	waitReadyBy(ctx, t, client, p, "https://"+address)

	conn, resp, err := websocket.Dial(ctx, "wss://"+address+"/v1/stream?symbols=AAPL", &websocket.DialOptions{HTTPClient: client})
	if err != nil {
		t.Fatal(err)
	}
	if resp.Body != nil {
		defer resp.Body.Close()
	}
	defer func() { _ = conn.CloseNow() }()
	for {
		_, msg, err := conn.Read(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(msg, []byte(`"type":"quote"`)) {
			break
		}
	}
	if err := p.stop(); err != nil {
		t.Error(err)
	}
	if said := strings.Join(p.tail, "\n"); !strings.Contains(said, "url=https://"+address) {
		t.Errorf("the node said:\n%s", said)
	}
}

// TestBadTLS refuses what can't be served with, at once and in one line.
func TestBadTLS(t *testing.T) {
	dir := t.TempDir()
	pair, other := pairIn(dir), pairIn(t.TempDir())
	writePair(t, pair, 1)
	writePair(t, other, 2)
	broken := filepath.Join(dir, "broken.pem")
	writeFile(t, broken, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("no")}), 1)
	absent := filepath.Join(dir, "absent.pem")
	for want, c := range map[string]tlsConfig{
		"only with --tls-key":                 {cert: pair.cert},
		"only with --tls-cert":                {key: pair.key},
		"--tls-cert: stat " + absent:          {cert: absent, key: pair.key},
		"--tls-key: stat " + absent:           {cert: pair.cert, key: absent},
		pair.key + " holds no certificate":    {cert: pair.key, key: pair.key},
		broken + " holds a broken":            {cert: broken, key: pair.key},
		other.key + " does not go with":       {cert: pair.cert, key: other.key},
		pair.cert + " does not go with":       {cert: pair.cert, key: pair.cert},
		"--tls-cert: read " + dir:             {cert: dir, key: pair.key},
		"a cadence of 30ms is too long, 20ms": {},
	} {
		args := []string{"node", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", "--tls-cert", c.cert, "--tls-key", c.key}
		if c == (tlsConfig{}) {
			args = append(args, "--cadence", "30ms")
		}
		var out bytes.Buffer
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		code := run(ctx, args, &out, &out)
		cancel()
		if said := out.String(); code != 1 || !strings.Contains(said, want) || strings.Count(said, "\n") != 1 {
			t.Errorf("%+v: code %d, %q, want %q in one line", c, code, said, want)
		}
	}
}

// TestRenewal writes another certificate: it is shown within a minute, but not
// while the files are no pair.
func TestRenewal(t *testing.T) {
	files, other := pairIn(t.TempDir()), pairIn(t.TempDir())
	writePair(t, files, 1)
	writePair(t, other, 2)
	renewed, err := os.ReadFile(other.cert)
	if err != nil {
		t.Fatal(err)
	}
	key, err := os.ReadFile(other.key)
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		i, err := files.identity(slog.New(slog.NewTextHandler(&log, nil)))
		if err != nil {
			t.Fatal(err)
		}
		shows := func(serial int64, when string) {
			t.Helper()
			cert, err := i.certificate(nil)
			if err != nil {
				t.Fatal(err)
			}
			if got := cert.Leaf.SerialNumber.Int64(); got != serial {
				t.Errorf("%s: certificate %d, want %d", when, got, serial)
			}
		}
		shows(1, "at first")
		writeFile(t, files.cert, renewed, 2)
		shows(1, "before it looks")
		time.Sleep(lookEvery)
		shows(1, "while the key is another's")
		if !strings.Contains(log.String(), "does not go with") {
			t.Errorf("it said %q", log.String())
		}
		writeFile(t, files.key, key, 2)
		time.Sleep(lookEvery - time.Second)
		shows(1, "before it looks again")
		time.Sleep(time.Second)
		shows(2, "renewed")
		if err := os.Remove(files.cert); err != nil {
			t.Fatal(err)
		}
		time.Sleep(lookEvery)
		shows(2, "when the file is gone")
	})
}
