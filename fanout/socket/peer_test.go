package socket

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"math/big"
	"net"
	"sync"
	"testing"
	"time"
)

// peer is a client's end of a connection, plain or with TLS.
type peer struct {
	net.Conn
	tcp *net.TCPConn
}

// CloseWrite says that the client will send no more.
func (p *peer) CloseWrite() error {
	if c, ok := p.Conn.(*tls.Conn); ok {
		err := c.CloseWrite()
		_ = p.tcp.CloseWrite() // the server may have ended it by now
		return err
	}
	return p.tcp.CloseWrite()
}

// reset ends the connection without a word.
func (p *peer) reset() error { return errors.Join(p.tcp.SetLinger(0), p.tcp.Close()) }

// ends returns both ends of a loopback connection, with TLS if that is wanted.
func ends(t testing.TB, secure bool) (client *peer, server net.Conn) {
	t.Helper()
	c, s := pair(t)
	if !secure {
		return &peer{c, c}, s
	}
	over, server := secured(t, c, s)
	return &peer{over, c}, server
}

// secured makes the handshake of TLS on a connection.
func secured(t testing.TB, client, server net.Conn) (c, s *tls.Conn) {
	t.Helper()
	c = tls.Client(client, &tls.Config{InsecureSkipVerify: true}) // it is ours
	s = tls.Server(server, secret())
	failed := make(chan error, 1)
	go func() { failed <- c.HandshakeContext(t.Context()) }()
	if err := errors.Join(s.HandshakeContext(t.Context()), <-failed); err != nil {
		t.Fatal(err)
	}
	return c, s
}

// secret is a server's configuration with a certificate of its own.
var secret = sync.OnceValue(func() *tls.Config {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	about := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, about, about, key.Public(), key)
	if err != nil {
		panic(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
})
