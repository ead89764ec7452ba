package keeper

import (
	"errors"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics count what a keeper does, over all its lanes.
type metrics struct {
	bars, trades, skipped, repeats, missing, poison, commitFailures prometheus.Counter
}

// newMetrics registers with reg, which may be nil.
func newMetrics(reg prometheus.Registerer) (*metrics, error) {
	var errs []error
	counter := func(name, help string) prometheus.Counter {
		c := prometheus.NewCounter(prometheus.CounterOpts{
			Namespace: "tapecast", Subsystem: "keeper", Name: name + "_total", Help: help,
		})
		if reg != nil {
			errs = append(errs, reg.Register(c))
		}
		return c
	}
	m := &metrics{
		bars:           counter("bars", "Bars written and acknowledged."),
		trades:         counter("trades", "Trades that bars were built of."),
		skipped:        counter("skipped_bars", "Bars not written because the beginning of their minute could not be read."),
		repeats:        counter("repeats", "Trades dropped because their seq had been read before."),
		missing:        counter("missing_trades", "Seqs that did not come: their bars hold what there is."),
		poison:         counter("poison", "Records skipped because they can't be decoded."),
		commitFailures: counter("commit_failures", "Offsets that could not be committed."),
	}
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("keeper: registering metrics: %w", err)
	}
	return m, nil
}
