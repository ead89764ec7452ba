package feeder

import (
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics count what a feeder does. They are brought up to date once per turn.
type metrics struct {
	ticks, sessions, poison prometheus.Counter
	lag, turn               prometheus.Gauge
}

func newMetrics(reg prometheus.Registerer) (metrics, error) {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Namespace: "tapecast", Subsystem: "feeder", Name: name, Help: help})
	}
	gauge := func(name, help string) prometheus.Gauge {
		return prometheus.NewGauge(prometheus.GaugeOpts{Namespace: "tapecast", Subsystem: "feeder", Name: name, Help: help})
	}
	m := metrics{
		ticks:    counter("ticks_total", "Ticks written to the tape and acknowledged."),
		sessions: counter("sessions_total", "Sessions begun: one at start, one after each long outage."),
		poison:   counter("poison_total", "Records at the tape's end that could not be decoded at start."),
		lag:      gauge("lag_seconds", "How far the tape's end was behind the wall clock when the last turn began; 0 if market time is not wall time."),
		turn:     gauge("turn_seconds", "Wall time that the last turn took: generating, encoding and writing."),
	}
	if reg == nil {
		return m, nil
	}
	var errs []error
	for _, c := range []prometheus.Collector{m.ticks, m.sessions, m.poison, m.lag, m.turn} {
		errs = append(errs, reg.Register(c))
	}
	return m, errors.Join(errs...)
}

// seconds returns ns as seconds.
func seconds(ns int64) float64 { return time.Duration(ns).Seconds() }
