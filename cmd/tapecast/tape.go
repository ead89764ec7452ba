package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tapecast/tapecast/charts"
	"github.com/tapecast/tapecast/charts/keeper"
	"github.com/tapecast/tapecast/feed"
	"github.com/tapecast/tapecast/feed/kafka"
)

// This file joins feed/kafka to the interfaces that its users declare.

func isNoTopic(err error) bool { return errors.Is(err, kafka.ErrNoTopic) }

// closeQuietly closes what has nothing left to lose, and logs how that failed.
func closeQuietly(c io.Closer, log *slog.Logger) {
	if err := c.Close(); err != nil {
		log.Debug("closing failed", "error", err)
	}
}

// tape is a feeder's Tape.
type tape struct {
	*kafka.Writer
	conn  kafka.Conn
	topic string
	lanes int
}

func newTape(ctx context.Context, conn kafka.Conn, c *kafkaConfig, reg prometheus.Registerer) (*tape, error) {
	w, err := kafka.NewWriter(ctx, kafka.WriterOptions{
		Conn: conn, Topic: c.topic, Lanes: c.lanes, TransactionalID: "tapecast-feeder-" + c.topic, Registerer: reg,
	})
	if err != nil {
		return nil, err
	}
	return &tape{Writer: w, conn: conn, topic: c.topic, lanes: c.lanes}, nil
}

// Flush explains what being fenced means.
func (t *tape) Flush(ctx context.Context) error {
	err := t.Writer.Flush(ctx)
	if errors.Is(err, kafka.ErrFenced) {
		return fmt.Errorf("another feeder writes topic %s now, so this one stops: %w", t.topic, err)
	}
	return err
}

// Tails reads the tape backwards.
func (t *tape) Tails(ctx context.Context, visit func(lane int, offset int64, key, value []byte) error, enough func() bool) error {
	return kafka.Tails(ctx, t.conn, t.topic, t.lanes, func(r kafka.Record) error {
		return visit(r.Lane, r.Offset, r.Key, r.Value)
	}, enough)
}

// history writes windows to the bars topic.
type history struct {
	*kafka.Writer
	lanes int
	value []byte
}

func newHistory(ctx context.Context, conn kafka.Conn, topic string, lanes int, reg prometheus.Registerer) (*history, error) {
	w, err := kafka.NewWriter(ctx, kafka.WriterOptions{Conn: conn, Topic: topic, Lanes: lanes, Registerer: reg})
	if err != nil {
		return nil, err
	}
	return &history{Writer: w, lanes: lanes}, nil
}

// backfill writes a symbol's made-up history, and returns when it is safe.
func (h *history) backfill(ctx context.Context, symbol string, windows []charts.Window) error {
	lane := feed.Lane(symbol, h.lanes)
	for i := range windows {
		h.value = charts.AppendWindow(h.value[:0], &windows[i])
		h.Append(lane, windows[i].End(), []byte(symbol), h.value)
	}
	return h.Flush(ctx)
}

// group is a keeper's Group.
type group struct{ options kafka.GroupOptions }

// Run gives each lane of the ticks topic to work.
func (g group) Run(ctx context.Context, work func(ctx context.Context, lane int, start int64, c keeper.Claim) error) error {
	return kafka.RunGroup(ctx, g.options, func(ctx context.Context, c *kafka.Claim) error {
		return work(ctx, c.Lane, c.Start, claim{c})
	})
}

// claim is a keeper's Claim.
type claim struct{ *kafka.Claim }

// Read gives the lane's records from an offset on.
func (c claim) Read(ctx context.Context, from int64, handle func([]keeper.Record) error) error {
	var records []keeper.Record
	err := c.Claim.Read(ctx, from, func(b kafka.Batch) error {
		records = records[:0]
		for i := range b.Records {
			r := &b.Records[i]
			records = append(records, keeper.Record{Offset: r.Offset, Key: r.Key, Value: r.Value})
		}
		return handle(records)
	})
	if errors.Is(err, kafka.ErrTruncated) {
		return fmt.Errorf("%w: %w", keeper.ErrTruncated, err)
	}
	return err
}
