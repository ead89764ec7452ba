package main

import (
	"context"
	"log/slog"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/cobra"

	"github.com/tapecast/tapecast/charts/keeper"
	"github.com/tapecast/tapecast/feed/kafka"
)

// barsConfig is the configuration of the bars role.
type barsConfig struct {
	kafka kafkaConfig
	group string
	admin string
	log   logConfig
}

func newBars() *cobra.Command {
	var c barsConfig
	cmd := &cobra.Command{
		Use:   "bars",
		Short: "Write the minute bars of a tape, the history that nodes load",
		Long: `bars reads the ticks of a tape as a member of a consumer group and writes each
closed minute of each symbol to the bars topic, the history that nodes load when
they start. Any number of them share the lanes. One that is killed is followed by
one that writes the same bars again, byte for byte.`,
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
	cmd.Flags().StringVar(&c.group, "group", "tapecast-bars", "consumer group that shares the lanes")
	cmd.Flags().StringVar(&c.admin, "admin-listen", "", "address of /metrics (default none)")
	c.log.bind(cmd.Flags(), "info")
	return cmd
}

// run is the bars role, until ctx ends.
func (c *barsConfig) run(ctx context.Context, log *slog.Logger, reg prometheus.Registerer) error {
	conn, err := c.kafka.conn("bars", log)
	if err != nil {
		return err
	}
	if err := await(ctx, conn, log); err != nil {
		return err
	}
	lanes, err := awaitTopic(ctx, conn, c.kafka.topic, log)
	if err != nil {
		return err
	}
	if _, err := awaitTopic(ctx, conn, c.kafka.bars, log); err != nil {
		return err
	}
	h, err := newHistory(ctx, conn, c.kafka.bars, lanes, reg)
	if err != nil {
		return err
	}
	defer closeQuietly(h, log)
	k, err := keeper.New(keeper.Options{
		Group: group{kafka.GroupOptions{Conn: conn, Topic: c.kafka.topic, Lanes: lanes, Group: c.group}},
		Sink:  h, Log: log, Registerer: reg,
	})
	if err != nil {
		return err
	}
	return k.Run(ctx)
}
