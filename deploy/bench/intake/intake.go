// Package intake is how the servers that Tapecast is compared with get the
// publisher's messages: over a socket, in the process that fans them out.
package intake

import (
	"context"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"
	"time"
)

// Sink fans out.
type Sink interface {
	// Publish takes a message of a symbol. msg is only lent.
	Publish(symbol string, msg []byte) error
	// Flush is called when all that came at once has been published.
	Flush() error
}

// Main is the whole of a server: it reads the flags -listen and -intake, starts
// it, and publishes until SIGTERM. start gets the address for clients and returns
// the sink and what ends the server; it ends the process with an error's text.
func Main(start func(ctx context.Context, listen string) (Sink, func(), error)) {
	listen := flag.String("listen", "127.0.0.1:9800", "address for clients")
	from := flag.String("intake", "127.0.0.1:9900", "address for the publisher")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	go freeOnSignal(ctx)
	err := run(ctx, *listen, *from, start)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, listen, from string, start func(context.Context, string) (Sink, func(), error)) error {
	sink, end, err := start(ctx, listen)
	if err != nil {
		return err
	}
	defer end()
	ln, err := new(net.ListenConfig).Listen(ctx, "tcp", from)
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { ln.Close() })
	defer stop()
	conn, err := ln.Accept()
	if err != nil {
		return ignoreEnd(ctx, err)
	}
	hangUp := context.AfterFunc(ctx, func() { conn.Close() })
	defer hangUp()
	err = read(conn, sink)
	if errors.Is(err, io.EOF) { // the publisher has done its part
		<-ctx.Done()
	}
	return ignoreEnd(ctx, err)
}

func ignoreEnd(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// read publishes records: lane (1 byte, of no use here), length of the key (1),
// length of the value (2, little endian), key, value. It ends with an error, which
// is io.EOF when the publisher hangs up.
func read(conn net.Conn, sink Sink) error {
	names := map[string]string{}
	buf := make([]byte, 256<<10)
	kept := 0
	for {
		n, err := conn.Read(buf[kept:])
		if err != nil {
			return err
		}
		b := buf[:kept+n]
		for len(b) >= 4 {
			key, value := int(b[1]), int(binary.LittleEndian.Uint16(b[2:]))
			if len(b) < 4+key+value {
				break
			}
			name, ok := names[string(b[4:4+key])]
			if !ok {
				name = string(b[4 : 4+key])
				names[name] = name
			}
			if err := sink.Publish(name, b[4+key:4+key+value]); err != nil {
				return err
			}
			b = b[4+key+value:]
		}
		kept = copy(buf, b)
		if err := sink.Flush(); err != nil {
			return err
		}
	}
}

// freeOnSignal gives unused memory back on SIGUSR1, so that what connections take
// is seen apart from what connecting them has left behind.
func freeOnSignal(ctx context.Context) {
	c := make(chan os.Signal, 1)
	signal.Notify(c, syscall.SIGUSR1)
	for {
		select {
		case <-ctx.Done():
			return
		case <-c:
			time.Sleep(100 * time.Millisecond)
			debug.FreeOSMemory()
		}
	}
}

// Serve serves HTTP in the background and returns what ends it.
func Serve(ctx context.Context, listen string, h http.Handler) (func(), error) {
	ln, err := new(net.ListenConfig).Listen(ctx, "tcp", listen)
	if err != nil {
		return nil, err
	}
	srv := &http.Server{Handler: h, ReadHeaderTimeout: time.Minute}
	go func() {
		if err := srv.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
			fmt.Fprintln(os.Stderr, err)
		}
	}()
	return func() { _ = srv.Close() }, nil
}

// Symbols returns what a client asks for with ?symbols=A,B.
func Symbols(r *http.Request) []string {
	return strings.Split(r.URL.Query().Get("symbols"), ",")
}
