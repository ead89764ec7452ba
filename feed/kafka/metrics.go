package kafka

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"
)

// writerMetrics count what a Writer does.
type writerMetrics struct {
	records, bytes, retries prometheus.Counter
	flush                   prometheus.Histogram
}

// newWriterMetrics registers with reg, which may be nil. A second writer of the
// same topic counts on where the first one was.
func newWriterMetrics(reg prometheus.Registerer, topic string) (writerMetrics, error) {
	labels := prometheus.Labels{"topic": topic}
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Namespace: "tapecast", Subsystem: "kafka_writer", Name: name, Help: help, ConstLabels: labels})
	}
	var (
		m    writerMetrics
		errs [4]error
	)
	m.records, errs[0] = register(reg, counter("records_total", "Records acknowledged by the broker."))
	m.bytes, errs[1] = register(reg, counter("bytes_total", "Bytes of record batches acknowledged by the broker."))
	m.retries, errs[2] = register(reg, counter("retries_total", "Produce requests that had to be sent again."))
	m.flush, errs[3] = register(reg, prometheus.NewHistogram(prometheus.HistogramOpts{
		Namespace: "tapecast", Subsystem: "kafka_writer", Name: "flush_seconds", ConstLabels: labels,
		Help:    "Time from a flush to its last acknowledgement, retries included.",
		Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
	}))
	return m, errors.Join(errs[:]...)
}

// register returns the collector that reg counts with: c, or an older equal one.
func register[C prometheus.Collector](reg prometheus.Registerer, c C) (C, error) {
	if reg == nil {
		return c, nil
	}
	err := reg.Register(c)
	var already prometheus.AlreadyRegisteredError
	if errors.As(err, &already) {
		if older, ok := already.ExistingCollector.(C); ok {
			return older, nil
		}
	}
	return c, err
}
