package fanout

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are the hub's counters. They have few labels and none of a client or
// symbol.
type metrics struct {
	ticks, duplicates, conflicts, gaps, poison prometheus.Counter
	passes, writes, bytes                      prometheus.Counter
	streams, stale                             prometheus.Gauge
	staleCloses                                prometheus.Counter
	connections, groups                        *prometheus.GaugeVec
	demotions, promotions                      prometheus.Counter
	lag                                        prometheus.Histogram
	drops                                      *prometheus.CounterVec
}

func newMetrics(reg prometheus.Registerer) *metrics {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Namespace: "tapecast", Subsystem: "hub", Name: name, Help: help})
	}
	gauge := func(name, help string) prometheus.Gauge {
		return prometheus.NewGauge(prometheus.GaugeOpts{Namespace: "tapecast", Subsystem: "hub", Name: name, Help: help})
	}
	m := &metrics{
		ticks:       counter("ticks_total", "Ticks taken from the tape."),
		duplicates:  counter("duplicates_total", "Ticks that were on the tape before and were dropped."),
		conflicts:   counter("conflicts_total", "Duplicates that said something else than the first."),
		gaps:        counter("gaps_total", "Ranges of seqs missing on the tape."),
		poison:      counter("poison_total", "Records that could not be decoded."),
		passes:      counter("passes_total", "Passes published to the shards."),
		writes:      counter("writes_total", "Writes to clients."),
		bytes:       counter("written_bytes_total", "Bytes that clients' sockets accepted."),
		streams:     gauge("streams", "Streams being built."),
		stale:       gauge("stale_lanes", "Lanes without a record for a second."),
		staleCloses: counter("stale_closes_total", "Times that merged windows of a lane were sent by wall time, since no record came."),
		connections: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Namespace: "tapecast", Subsystem: "hub", Name: "subscribers", Help: "Clients by the form that they read.",
		}, []string{"form"}),
		groups: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Namespace: "tapecast", Subsystem: "hub", Name: "groups", Help: "Groups of symbols that clients watch, by the level at which they are served.",
		}, []string{"level"}),
		demotions:  counter("demotions_total", "Moves of a slow client's group to a coarser level."),
		promotions: counter("promotions_total", "Moves of a group back to a finer level."),
		lag: prometheus.NewHistogram(prometheus.HistogramOpts{
			Namespace: "tapecast", Subsystem: "hub", Name: "lag_seconds", Help: "How old the oldest thing is that a client has not got, judged once a second.",
			Buckets: []float64{0.001, 0.01, 0.05, 0.25, 1, 5, 30},
		}),
		drops: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: "tapecast", Subsystem: "hub", Name: "drops_total", Help: "Clients dropped, by reason.",
		}, []string{"reason"}),
	}
	if reg != nil {
		reg.MustRegister(m.ticks, m.duplicates, m.conflicts, m.gaps, m.poison, m.passes, m.writes, m.bytes,
			m.streams, m.stale, m.staleCloses, m.connections, m.drops, m.groups, m.demotions, m.promotions, m.lag)
	}
	return m
}

func (m *metrics) wrote(n int) {
	m.writes.Inc()
	m.bytes.Add(float64(n))
}

func (m *metrics) dropped(reason string) { m.drops.WithLabelValues(reason).Inc() }

func (m *metrics) connected(f Form, by float64) { m.connections.WithLabelValues(f.String()).Add(by) }

func (m *metrics) leveled(l Level, by float64) { m.groups.WithLabelValues(l.String()).Add(by) }

// String returns the form's name in metrics.
func (f Form) String() string {
	switch f {
	case Frames:
		return "websocket"
	case Event, Events:
		return "sse"
	default:
		return "poll"
	}
}

// appendHeartbeat appends a heartbeat as of the newest pass.
func (h *Hub) appendHeartbeat(dst []byte, now time.Time, cursor string) []byte {
	at := h.last.Load().cut.time
	return h.options.Encoder.Heartbeat(dst, Heartbeat{
		Now: now.UnixNano(), At: at, Behind: max(now.UnixNano()-at, 0), Cursor: cursor,
	})
}
