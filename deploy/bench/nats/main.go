// Command nats is nats-server with its WebSocket listener, as its documentation
// sets it up for browsers without TLS. Ticks are published in the process, by the
// client protocol: a subject per symbol.
package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/tapecast/tapecast/deploy/bench/intake"
)

func main() { intake.Main(start) }

func start(_ context.Context, listen string) (intake.Sink, func(), error) {
	host, text, err := net.SplitHostPort(listen)
	if err != nil {
		return nil, nil, err
	}
	port, err := strconv.Atoi(text)
	if err != nil {
		return nil, nil, err
	}
	s, err := server.NewServer(&server.Options{
		DontListen: true, NoSigs: true, NoLog: true,
		Websocket: server.WebsocketOpts{Host: host, Port: port, NoTLS: true},
	})
	if err != nil {
		return nil, nil, err
	}
	go s.Start()
	if !s.ReadyForConnections(10 * time.Second) {
		return nil, nil, errors.New("nats-server did not get ready")
	}
	conn, err := s.InProcessConn()
	if err != nil {
		return nil, nil, err
	}
	p := &publisher{conn: conn}
	go p.listen()
	_, err = conn.Write([]byte("CONNECT {\"verbose\":false}\r\n"))
	return p, s.Shutdown, err
}

// publisher is a client of the server, without a library.
type publisher struct {
	conn net.Conn
	buf  []byte
}

// listen takes what the server says, and answers its pings.
func (p *publisher) listen() {
	lines := bufio.NewScanner(p.conn)
	for lines.Scan() {
		if strings.HasPrefix(lines.Text(), "PING") {
			_, _ = p.conn.Write([]byte("PONG\r\n"))
		}
	}
}

// Publish implements intake.Sink.
func (p *publisher) Publish(symbol string, msg []byte) error {
	p.buf = fmt.Appendf(p.buf, "PUB %s %d\r\n", symbol, len(msg))
	p.buf = append(append(p.buf, msg...), "\r\n"...)
	return nil
}

// Flush implements intake.Sink.
func (p *publisher) Flush() error {
	_, err := p.conn.Write(p.buf)
	p.buf = p.buf[:0]
	return err
}
