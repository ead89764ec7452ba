package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"runtime/debug"
	"strconv"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/tapecast/tapecast/feed/kafka/embedded"
)

// demoConfig is the configuration of the demo: all roles in one process.
type demoConfig struct {
	data   string
	kafka  string
	market marketConfig
	serve  serveConfig
	log    logConfig
}

// demoRetention is how long the demo keeps its ticks.
const demoRetention = 30 * time.Minute

// demoLanes is the demo's number of lanes. Its broker keeps an index of all batches
// in memory, and each lane has one in nearly every request: with eight of them that
// index alone would grow by 2 MB a minute until the retention is reached.
const demoLanes = 2

func newDemo() *cobra.Command {
	var c demoConfig
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Run everything in one process: market, Kafka, bars and a node with the page",
		Long: `demo runs a simulated market, a Kafka broker inside the process, the bars role and
one node with the page. Nothing else is needed. It keeps half an hour of ticks.
Ctrl-C ends it; with --data it goes on where it was.`,
		Example: `  tapecast demo
  tapecast demo --data tape --seed 7 --rate 5000
  tapecast demo --symbols AAPL,MSFT,BTCUSDT`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			log, err := c.log.logger(cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			return c.run(cmd.Context(), cmd.OutOrStdout(), log)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&c.data, "data", "", "folder that keeps the tape (default a temporary one, removed at the end)")
	flags.StringVar(&c.kafka, "kafka-listen", "", "loopback address of the Kafka broker (default 127.0.0.1:9092, or a free port if that is taken)")
	c.market.bind(flags)
	c.serve.bind(flags)
	c.log.bind(flags, "warn")
	return cmd
}

// run runs the demo until ctx ends.
func (c *demoConfig) run(ctx context.Context, out io.Writer, log *slog.Logger) error {
	// The broker's index of half an hour lives long and changes little: half the
	// usual room for garbage saves more than 100 MB and costs a hundredth of a core.
	debug.SetGCPercent(50)
	broker, err := c.startBroker(ctx, log)
	if err != nil {
		return err
	}
	err = c.runRoles(ctx, broker, out, log)
	if closed := broker.Close(); err == nil || errors.Is(err, context.Canceled) {
		err = errors.Join(err, closed)
	}
	return err
}

func (c *demoConfig) startBroker(ctx context.Context, log *slog.Logger) (*embedded.Broker, error) {
	o := embedded.Options{Dir: c.data, Port: 9092, Retention: demoRetention, Log: log}
	if c.kafka != "" {
		host, port, err := net.SplitHostPort(c.kafka)
		if err != nil || host != "127.0.0.1" && host != "localhost" {
			return nil, fmt.Errorf("--kafka-listen %q must be 127.0.0.1:PORT: the demo's broker serves this machine alone", c.kafka)
		}
		if o.Port, err = strconv.Atoi(port); err != nil {
			return nil, fmt.Errorf("--kafka-listen %q: the port must be a number", c.kafka)
		}
	}
	// The broker outlives the roles: run closes it after them.
	ctx = context.WithoutCancel(ctx)
	broker, err := embedded.Start(ctx, o)
	if errors.Is(err, syscall.EADDRINUSE) && c.kafka == "" {
		o.Port = 0
		broker, err = embedded.Start(ctx, o)
	}
	return broker, err
}

// runRoles runs feeder, bars and node on the broker. The first to fail ends the
// others.
func (c *demoConfig) runRoles(ctx context.Context, broker *embedded.Broker, out io.Writer, log *slog.Logger) error {
	k := kafkaConfig{brokers: []string{broker.Addr()}, topic: ticksTopic, bars: barsTopic, lanes: demoLanes, retention: demoRetention}
	reg := newRegistry()
	feed := feedConfig{kafka: k, market: c.market}
	bars := barsConfig{kafka: k, group: "tapecast-bars"}
	node := nodeConfig{kafka: k, serve: c.serve}
	g, ctx := errgroup.WithContext(ctx)
	role := func(name string) prometheus.Registerer {
		return prometheus.WrapRegistererWith(prometheus.Labels{"role": name}, reg)
	}
	g.Go(func() error { return feed.run(ctx, log, role("feeder")) })
	g.Go(func() error { return bars.run(ctx, log, role("bars")) })
	g.Go(func() error {
		return node.run(ctx, log, reg, func(url string) { c.welcome(out, url, broker.Addr()) })
	})
	return g.Wait()
}

func (c *demoConfig) welcome(out io.Writer, url, kafka string) {
	fmt.Fprintf(out, `Tapecast is live: %s

  the page          %s
  in a terminal     tapecast tail AAPL MSFT --url %s
  with curl         curl -N '%s/v1/events?symbols=AAPL'
  from Kafka        %s, topic %s

SIMULATED DATA. Ctrl-C ends it.
`, url, url, url, url, kafka, ticksTopic)
	if c.data != "" {
		fmt.Fprintf(out, "The tape is kept in %s.\n", c.data)
	}
}
