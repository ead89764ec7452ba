package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/sync/errgroup"

	"github.com/tapecast/tapecast/fanout"
	"github.com/tapecast/tapecast/fanout/server"
	"github.com/tapecast/tapecast/fanout/socket"
	"github.com/tapecast/tapecast/fanout/wire"
	"github.com/tapecast/tapecast/feed/kafka"
	"github.com/tapecast/tapecast/ui"
)

// nodeConfig is the configuration of the node role.
type nodeConfig struct {
	kafka  kafkaConfig
	serve  serveConfig
	faults fanout.Faults // for checks only
	log    logConfig
}

// serveConfig says how a node serves its clients.
type serveConfig struct {
	listen     string
	admin      string
	name       string
	origins    []string
	window     time.Duration
	shards     int
	limits     server.Limits
	sendBuffer int
	lowat      int
	cadence    time.Duration
	portable   bool
	tls        tlsConfig
}

func (c *serveConfig) bind(flags *pflag.FlagSet) {
	flags.StringVar(&c.listen, "listen", "127.0.0.1:8080", "address to serve clients on; port 0 takes a free one")
	flags.StringVar(&c.admin, "admin-listen", "127.0.0.1:8081", "address of /metrics and profiles; not for the public")
	flags.StringVar(&c.name, "node-name", "", "name that clients are told (default the host's)")
	flags.StringSliceVar(&c.origins, "origins", nil, "web origins, besides its own, whose pages may use the node: https://example.com, https://*.example.com or *")
	flags.DurationVar(&c.window, "window", 2*time.Minute, "how much of the tape is kept in memory, to resume from")
	flags.IntVar(&c.shards, "shards", runtime.GOMAXPROCS(0), "goroutines that deliver, each to its part of the clients")
	flags.IntVar(&c.limits.Symbols, "max-symbols", 1000, "symbols that one client may watch")
	flags.IntVar(&c.limits.Streams, "max-streams", 50_000, "WebSocket and SSE connections at once")
	flags.IntVar(&c.limits.Polls, "max-polls", 2000, "long polls that wait at once")
	flags.IntVar(&c.sendBuffer, "send-buffer", 0, "kernel's send buffer of a connection, bytes (default 64 KiB on Linux, else 16 KiB)")
	flags.IntVar(&c.lowat, "not-sent-lowat", 16<<10, "bytes that may wait in it unsent, on Linux; small, so that a slow client is seen; 0: no bound")
	flags.DurationVar(&c.cadence, "cadence", 5*time.Millisecond, "how long a busy goroutine rests to write more at once, 20ms at the most; 0: it never rests")
	flags.BoolVar(&c.portable, "portable", false, "drive connections as on systems without epoll")
	c.tls.bind(flags)
}

// sockets returns the driver's options, where 0 would be the default: for flags it
// means none.
func (c *serveConfig) sockets(log *slog.Logger) socket.Options {
	o := socket.Options{SendBuffer: c.sendBuffer, NotSentLowat: c.lowat, Cadence: c.cadence, Portable: c.portable, Log: log}
	if o.NotSentLowat == 0 {
		o.NotSentLowat = -1
	}
	if o.Cadence == 0 {
		o.Cadence = -1
	}
	return o
}

func newNode() *cobra.Command {
	var c nodeConfig
	cmd := &cobra.Command{
		Use:   "node",
		Short: "Read a tape and fan it out over WebSocket, SSE and polls",
		Long: `node reads a tape from Kafka and fans it out to clients over WebSocket, SSE, long
poll and short poll, with the page at /. It holds only the recent past: kill it and
nothing is lost, start as many as you like, and clients go on at any of them.

It listens on loopback unless told otherwise. Give it --tls-cert and --tls-key, or put
a proxy with TLS in front, before you serve others.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			log, err := c.log.logger(cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			return c.run(cmd.Context(), log, newRegistry(), func(url string) { log.Info("ready", "url", url) })
		},
	}
	c.kafka.bind(cmd.Flags())
	c.serve.bind(cmd.Flags())
	c.log.bind(cmd.Flags(), "info")
	return cmd
}

// run is the node role, until ctx ends. ready is called once, with the address,
// when the node serves every symbol.
func (c *nodeConfig) run(ctx context.Context, log *slog.Logger, reg *prometheus.Registry, ready func(url string)) error {
	// What is wrong with the flags is said before the node waits for Kafka.
	if _, err := socket.New(c.serve.sockets(log)); err != nil {
		return err
	}
	identity, err := c.serve.tls.identity(log)
	if err != nil {
		return err
	}
	ln, err := listen(ctx, "listen", c.serve.listen)
	if err != nil {
		return err
	}
	url := "http://" + ln.Addr().String()
	if identity != nil {
		url = "https://" + ln.Addr().String()
		ln = identity.over(ln)
	}
	admin, err := listen(ctx, "admin-listen", c.serve.admin)
	if err != nil {
		ln.Close()
		return err
	}
	conn, err := c.kafka.conn("node", log)
	if err != nil {
		return err
	}
	metrics := &gatherer{base: reg}
	srv, err := server.New(server.Options{
		Node: c.serve.name, Origins: c.serve.origins, Limits: c.serve.limits, Page: ui.Files(),
		Log: log, Registerer: reg, Gatherer: metrics,
	})
	if err != nil {
		return err
	}
	n := &node{config: c, conn: conn, log: log, server: srv, metrics: metrics, ready: ready, url: url}
	log.Info("serving", "url", n.url, "admin", "http://"+admin.Addr().String())

	// The engine runs on until the server has drained.
	engine, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	g, both := errgroup.WithContext(ctx)
	g.Go(func() error {
		defer stop()
		return srv.Serve(both, ln)
	})
	g.Go(func() error { return srv.ServeAdmin(both, admin) })
	g.Go(func() error {
		if err := n.follow(engine); err != nil && engine.Err() == nil {
			return err
		}
		return nil
	})
	return g.Wait()
}

func listen(ctx context.Context, flag, address string) (net.Listener, error) {
	ln, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("--%s %s: %w: choose another address with --%s, or port 0 for a free one", flag, address, err, flag)
	}
	return ln, nil
}

// node is a running node.
type node struct {
	config  *nodeConfig
	conn    kafka.Conn
	log     *slog.Logger
	server  *server.Server
	metrics *gatherer
	ready   func(url string)
	url     string
	said    bool // ready was called
}

// follow serves one tape after the other, until ctx ends.
func (n *node) follow(ctx context.Context) error {
	for {
		err := n.followTape(ctx)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, fanout.ErrNewTape), errors.Is(err, kafka.ErrTruncated):
			n.log.Warn("the tape has been replaced; starting on the new one", "error", err)
		default:
			return err
		}
	}
}

// followTape serves one tape, until ctx ends or the tape is replaced.
func (n *node) followTape(ctx context.Context) error {
	if err := await(ctx, n.conn, n.log); err != nil {
		return err
	}
	lanes, err := awaitTopic(ctx, n.conn, n.config.kafka.topic, n.log)
	if err != nil {
		return err
	}
	if _, err := awaitTopic(ctx, n.conn, n.config.kafka.bars, n.log); err != nil {
		return err
	}
	f, err := newFollower(ctx, n.conn, &n.config.kafka, lanes, n.config.serve.window, n.log)
	if err != nil {
		return err
	}
	reg := prometheus.NewRegistry()
	hub, err := fanout.New(fanout.Options{
		Encoder: wire.JSON{}, From: f.from, Whole: f.whole, Window: n.config.serve.window, Shards: n.config.serve.shards,
		Faults: n.config.faults, Log: n.log, Registerer: reg,
	})
	if err != nil {
		return err
	}
	if err := f.load(ctx, hub); err != nil {
		return err
	}
	driver, err := socket.New(n.config.serve.sockets(n.log))
	if err != nil {
		return err
	}
	n.server.Use(hub, driver)
	n.metrics.hub.Store(reg)
	return n.runHub(ctx, f, hub, driver)
}

func (n *node) runHub(ctx context.Context, f *follower, hub *fanout.Hub, driver *socket.Driver) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return driver.Run(ctx, hub.Shards()) })
	g.Go(func() error { return f.Run(ctx, hub) })
	g.Go(func() error { return n.announce(ctx, hub) })
	return g.Wait()
}

// announce waits until the hub is ready and says so, the first time.
func (n *node) announce(ctx context.Context, hub *fanout.Hub) error {
	if n.said {
		return nil
	}
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	for !hub.Ready() {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
	n.said = true
	n.ready(n.url)
	return nil
}

// gatherer gathers the process's metrics and those of the present hub.
type gatherer struct {
	base *prometheus.Registry
	hub  atomic.Pointer[prometheus.Registry]
}

// Gather implements prometheus.Gatherer.
func (g *gatherer) Gather() ([]*dto.MetricFamily, error) {
	if hub := g.hub.Load(); hub != nil {
		return prometheus.Gatherers{g.base, hub}.Gather()
	}
	return g.base.Gather()
}
