package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/tapecast/tapecast/feed"
	"github.com/tapecast/tapecast/feed/feeder"
	"github.com/tapecast/tapecast/feed/kafka"
	"github.com/tapecast/tapecast/feed/market"
)

// marketConfig says which market a feeder simulates.
type marketConfig struct {
	universe string
	symbols  []string
	seed     uint64
	rate     float64
	clock    string
	start    string
	duration time.Duration
}

func (c *marketConfig) bind(flags *pflag.FlagSet) {
	flags.StringVar(&c.universe, "universe", "", "CSV file of the instruments, instead of the built-in 40 stocks and 20 crypto pairs")
	flags.StringSliceVar(&c.symbols, "symbols", nil, "only these symbols of the universe (default all)")
	flags.Uint64Var(&c.seed, "seed", 1, "seed of the market: the same seed, start and universe give the same session, byte for byte")
	flags.Float64Var(&c.rate, "rate", market.DefaultRate, "mean ticks per second, over all symbols")
	flags.StringVar(&c.clock, "clock", "real", "how fast market time runs: real, a speed as 60x, or max")
	flags.StringVar(&c.start, "start", "", "where market time begins, RFC 3339 (default now)")
	flags.DurationVar(&c.duration, "duration", 0, "market time after which the feeder ends (default never)")
}

// options completes a feeder's options.
func (c *marketConfig) options(o *feeder.Options) error {
	universe, err := c.listings()
	if err != nil {
		return err
	}
	clock, err := feeder.ParseClock(c.clock)
	if err != nil {
		return fmt.Errorf("--clock: %w", err)
	}
	if c.rate <= 0 {
		return fmt.Errorf("--rate %v must be positive", c.rate)
	}
	if c.start != "" {
		at, err := time.Parse(time.RFC3339Nano, c.start)
		if err != nil {
			return fmt.Errorf("--start %q must be a time as 2026-03-02T14:30:00Z", c.start)
		}
		o.Start = at.UnixNano()
	}
	o.Universe, o.Seed, o.Rate, o.Clock, o.Duration = universe, c.seed, c.rate, clock, c.duration
	return nil
}

func (c *marketConfig) listings() (feed.Universe, error) {
	all, err := c.load()
	if err != nil || len(c.symbols) == 0 {
		return all, err
	}
	wanted := map[string]bool{}
	for _, s := range c.symbols {
		wanted[s] = true
	}
	var chosen feed.Universe
	for _, l := range all {
		if wanted[l.Symbol] {
			chosen = append(chosen, l)
			delete(wanted, l.Symbol)
		}
	}
	if len(wanted) > 0 {
		var missing []string
		for _, s := range c.symbols {
			if wanted[s] {
				missing = append(missing, s)
			}
		}
		return nil, fmt.Errorf("--symbols: %s not in the universe", strings.Join(missing, ", "))
	}
	return chosen, nil
}

func (c *marketConfig) load() (feed.Universe, error) {
	if c.universe == "" {
		return feed.DefaultUniverse()
	}
	f, err := os.Open(c.universe)
	if err != nil {
		return nil, fmt.Errorf("--universe: %w", err)
	}
	defer func() { _ = f.Close() }() // only read
	return feed.ParseUniverse(c.universe, f)
}

// feedConfig is the configuration of the feeder role.
type feedConfig struct {
	kafka  kafkaConfig
	market marketConfig
	admin  string
	log    logConfig
}

func newFeed() *cobra.Command {
	var c feedConfig
	cmd := &cobra.Command{
		Use:   "feed",
		Short: "Simulate a market and write its tape to Kafka",
		Long: `feed simulates a market and writes its tape to Kafka. One feeder writes a tape: a
second one takes over, and the first ends saying so. Started again, it goes on at
the old prices, and every symbol's numbering goes on without a hole or a repeat.

The simulated exchange never closes: stocks trade around the clock, as crypto does.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			log, err := c.log.logger(cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			return withAdmin(cmd.Context(), c.admin, log, func(ctx context.Context, reg prometheus.Registerer) error {
				return c.run(ctx, log, reg)
			})
		},
	}
	c.kafka.bind(cmd.Flags())
	c.kafka.bindTape(cmd.Flags())
	c.market.bind(cmd.Flags())
	cmd.Flags().StringVar(&c.admin, "admin-listen", "", "address of /metrics (default none)")
	c.log.bind(cmd.Flags(), "info")
	return cmd
}

// run is the feeder role, until ctx or the market's duration ends.
func (c *feedConfig) run(ctx context.Context, log *slog.Logger, reg prometheus.Registerer) error {
	var o feeder.Options
	if err := c.market.options(&o); err != nil {
		return err
	}
	conn, err := c.kafka.conn("feeder", log)
	if err != nil {
		return err
	}
	if err := await(ctx, conn, log); err != nil {
		return err
	}
	if err := c.kafka.ensure(ctx, conn); err != nil {
		return err
	}
	return c.feed(ctx, conn, &o, log, reg)
}

func (c *feedConfig) feed(ctx context.Context, conn kafka.Conn, o *feeder.Options, log *slog.Logger, reg prometheus.Registerer) error {
	t, err := newTape(ctx, conn, &c.kafka, reg)
	if err != nil {
		return err
	}
	defer closeQuietly(t, log)
	h, err := newHistory(ctx, conn, c.kafka.bars, c.kafka.lanes, nil)
	if err != nil {
		return err
	}
	defer closeQuietly(h, log)
	o.Tape, o.Lanes, o.Bars, o.Log, o.Registerer = t, c.kafka.lanes, h.backfill, log, reg
	f, err := feeder.New(*o)
	if err != nil {
		return err
	}
	return f.Run(ctx)
}
