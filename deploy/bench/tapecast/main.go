//go:build linux

// Command tapecast is the server of a benchmark: hub, socket driver and HTTP
// server joined as `tapecast node` joins them, with the publisher's socket in the
// place of Kafka. What it spends is what a node spends on decoding, ingest and
// delivery.
package main

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/tapecast/tapecast/fanout"
	"github.com/tapecast/tapecast/fanout/server"
	"github.com/tapecast/tapecast/fanout/socket"
	"github.com/tapecast/tapecast/fanout/wire"
	"github.com/tapecast/tapecast/feed"
)

// config is what the flags say.
type config struct {
	listen, admin, intake string
	lanes                 int
	socket                socket.Options
}

func main() {
	var c config
	flag.StringVar(&c.listen, "listen", "127.0.0.1:9800", "address for clients")
	flag.StringVar(&c.admin, "admin-listen", "", "address of profiles; none by default")
	flag.StringVar(&c.intake, "intake", "127.0.0.1:9900", "address for the publisher")
	flag.IntVar(&c.lanes, "lanes", 8, "lanes of the tape")
	flag.IntVar(&c.socket.SendBuffer, "send-buffer", 0, "kernel's send buffer of a connection, bytes; 0: as the driver has it")
	flag.IntVar(&c.socket.NotSentLowat, "not-sent-lowat", 0, "bytes that may wait in it unsent; 0: as the driver has it, negative: no bound")
	flag.DurationVar(&c.socket.Cadence, "cadence", 0, "how long a busy shard rests; 0: as the driver has it, negative: never")
	flag.BoolVar(&c.socket.Portable, "portable", false, "the driver of systems without epoll")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := c.run(ctx); err != nil && ctx.Err() == nil {
		fmt.Fprintln(os.Stderr, "tapecast:", err)
		os.Exit(1)
	}
}

// run serves until ctx ends.
func (c *config) run(ctx context.Context) error {
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	hub, err := fanout.New(fanout.Options{Encoder: wire.JSON{}, From: make(feed.Position, c.lanes), Log: log})
	if err != nil {
		return err
	}
	c.socket.Log = log
	driver, err := socket.New(c.socket)
	if err != nil {
		return err
	}
	srv, err := server.New(server.Options{Hub: hub, Driver: driver, Node: "bench", Log: log})
	if err != nil {
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	engine, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	if c.admin != "" {
		ln, err := listen(ctx, c.admin)
		if err != nil {
			return err
		}
		g.Go(func() error { return srv.ServeAdmin(ctx, ln) })
	}
	ln, err := listen(ctx, c.listen)
	if err != nil {
		return err
	}
	in, err := listen(ctx, c.intake)
	if err != nil {
		return err
	}
	g.Go(func() error {
		defer stop()
		return srv.Serve(ctx, ln)
	})
	g.Go(func() error { return driver.Run(engine, hub.Shards()) })
	g.Go(func() error { return newIntake(c.lanes).run(engine, in, hub) })
	g.Go(func() error { return freeOnSignal(ctx) })
	return g.Wait()
}

func listen(ctx context.Context, address string) (net.Listener, error) {
	return new(net.ListenConfig).Listen(ctx, "tcp", address)
}

// freeOnSignal gives unused memory back when it is told to, so that what
// connections take is seen apart from what connecting them has left behind.
func freeOnSignal(ctx context.Context) error {
	c := make(chan os.Signal, 1)
	signal.Notify(c, syscall.SIGUSR1)
	defer signal.Stop(c)
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-c:
			time.Sleep(100 * time.Millisecond) // what has just ended may go too
			debug.FreeOSMemory()
		}
	}
}
