package main

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"sync"
	"time"

	"github.com/spf13/pflag"
)

// tlsConfig says who a node is to clients that ask by TLS.
type tlsConfig struct{ cert, key string }

func (c *tlsConfig) bind(flags *pflag.FlagSet) {
	flags.StringVar(&c.cert, "tls-cert", "", "file with the certificate to serve clients by TLS, and those that it depends on (PEM); read again when it changes")
	flags.StringVar(&c.key, "tls-key", "", "file with the private key of --tls-cert (PEM)")
}

// identity reads the files; nil if the node is to speak without TLS.
func (c *tlsConfig) identity(log *slog.Logger) (*identity, error) {
	switch {
	case c.cert == "" && c.key == "":
		return nil, nil
	case c.key == "":
		return nil, errors.New("--tls-cert is of use only with --tls-key: name the file with the certificate's private key")
	case c.cert == "":
		return nil, errors.New("--tls-key is of use only with --tls-cert: name the file with the key's certificate")
	}
	i := &identity{files: *c, log: log, looked: time.Now()}
	var err error
	if i.stamp, err = c.stamp(); err != nil {
		return nil, err
	}
	if i.cert, err = c.load(); err != nil {
		return nil, err
	}
	return i, nil
}

// load reads certificate and key and checks that they are a pair.
func (c *tlsConfig) load() (*tls.Certificate, error) {
	certPEM, err := os.ReadFile(c.cert)
	if err != nil {
		return nil, fmt.Errorf("--tls-cert: %w", err)
	}
	keyPEM, err := os.ReadFile(c.key)
	if err != nil {
		return nil, fmt.Errorf("--tls-key: %w", err)
	}
	if err := checkPEM(certPEM); err != nil {
		return nil, fmt.Errorf("--tls-cert: %s %w", c.cert, err)
	}
	cert, err := tls.X509KeyPair(certPEM, keyPEM)
	if err != nil {
		return nil, fmt.Errorf("--tls-key: %s does not go with --tls-cert %s: %w", c.key, c.cert, err)
	}
	return &cert, nil
}

// checkPEM says what is wrong with a file of certificates.
func checkPEM(b []byte) error {
	for block, rest := pem.Decode(b); block != nil; block, rest = pem.Decode(rest) {
		if block.Type == "CERTIFICATE" {
			if _, err := x509.ParseCertificate(block.Bytes); err != nil {
				return fmt.Errorf("holds a broken certificate: %w", err)
			}
			return nil
		}
	}
	return errors.New("holds no certificate in PEM form")
}

// stamp tells one state of the files from another.
func (c *tlsConfig) stamp() (s [2]time.Time, err error) {
	for i, f := range [...]struct{ flag, name string }{{"tls-cert", c.cert}, {"tls-key", c.key}} {
		var info fs.FileInfo
		if info, err = os.Stat(f.name); err != nil {
			return s, fmt.Errorf("--%s: %w", f.flag, err)
		}
		s[i] = info.ModTime()
	}
	return s, nil
}

// identity is the certificate that a node shows, as its files have it.
type identity struct {
	files tlsConfig
	log   *slog.Logger

	mu     sync.Mutex
	cert   *tls.Certificate // guarded by mu
	stamp  [2]time.Time     // of what was read last; guarded by mu
	looked time.Time        // at the files; guarded by mu
}

// lookEvery is how long a renewed certificate may wait to be seen.
const lookEvery = time.Minute

// certificate returns the one to show now. A renewed one is taken without a
// restart; while the files are not a good pair the one before is shown on.
func (i *identity) certificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if now := time.Now(); now.Sub(i.looked) >= lookEvery {
		i.looked = now
		if err := i.renew(); err != nil {
			i.log.Warn("the certificate could not be renewed; the one before is shown on", "error", err)
		}
	}
	return i.cert, nil
}

// renew reads the files if they have changed. mu is held.
func (i *identity) renew() error {
	stamp, err := i.files.stamp()
	if err != nil || stamp == i.stamp {
		return err
	}
	cert, err := i.files.load()
	if err != nil {
		return err
	}
	i.cert, i.stamp = cert, stamp
	i.log.Info("the certificate was renewed", "expires", cert.Leaf.NotAfter)
	return nil
}

// over puts TLS over a listener. HTTP/1.1 is all that the node speaks, and what
// WebSockets need.
func (i *identity) over(ln net.Listener) net.Listener {
	return tls.NewListener(ln, &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}, GetCertificate: i.certificate})
}
