//go:build linux

// Command publish sends the synthetic ticks of a benchmark to the server that is
// measured, at exact times: tick i is due at start + i / rate, and that is the
// time it carries, however late it is sent. It takes the place of Kafka for
// Tapecast, which gets records of the tape, and is the source of every other
// server, which gets the same trades as the messages that Tapecast makes of them.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

// config is what the flags say.
type config struct {
	to      string
	as      string
	symbols string
	rate    float64
	lanes   int
}

func main() {
	var c config
	flag.StringVar(&c.to, "to", "127.0.0.1:9900", "the server's intake")
	flag.StringVar(&c.as, "as", "json", "tape: records, keyframes and clocks; json: messages")
	flag.StringVar(&c.symbols, "symbols", "BENCH000", "what to trade, in turn")
	flag.Float64Var(&c.rate, "rate", 100, "ticks per second over all symbols; 0: none")
	flag.IntVar(&c.lanes, "lanes", 8, "lanes of the tape")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := c.run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "publish:", err)
		os.Exit(1)
	}
}

// run publishes until ctx ends, then prints what it has sent and how late it was.
func (c *config) run(ctx context.Context) error {
	if c.rate < 0 || c.lanes < 1 || c.lanes > 255 || c.as != "tape" && c.as != "json" {
		return errors.New("-rate must not be negative, -lanes 1 to 255, -as tape or json")
	}
	conn, err := connect(ctx, c.to)
	if err != nil {
		return err
	}
	defer conn.Close()
	s := newSource(strings.Split(c.symbols, ","), c.lanes, c.as == "tape", time.Now().UnixNano())
	p := pacer{rate: c.rate, start: time.Now()}
	if _, err := conn.Write(s.opening(nil)); err != nil {
		return err
	}
	if err := p.run(ctx, s, conn); err != nil {
		return err
	}
	fmt.Printf(`{"sent":%d,"late_us":{"mean":%.0f,"max":%d}}`+"\n", p.sent, p.meanLate(), p.late.max.Microseconds())
	return nil
}

// connect tries until the server is there, for ten seconds.
func connect(ctx context.Context, to string) (net.Conn, error) {
	for end := time.Now().Add(10 * time.Second); ; {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", to)
		if err == nil || ctx.Err() != nil || time.Now().After(end) {
			return conn, err
		}
		time.Sleep(20 * time.Millisecond)
	}
}
