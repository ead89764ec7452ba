package fanout

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are the hub's counters. They have few labels and none of a client or
// symbol.
type metrics struct {
	reg prometheus.Registerer // nil: nobody looks

	ticks, duplicates, conflicts, gaps, poison prometheus.Counter
	passes, writes, bytes, staleCloses         prometheus.Counter
	demotions, promotions                      prometheus.Counter
	streams, stale, chunks, memory             prometheus.Gauge
	connections, groups                        *prometheus.GaugeVec
	drops                                      *prometheus.CounterVec
	ingest, pass, flush, latency, lag          prometheus.Histogram
}

func newMetrics(reg prometheus.Registerer) *metrics {
	m := &metrics{reg: reg}
	m.ticks = m.counter("ticks_total", "Ticks taken from the tape.")
	m.duplicates = m.counter("duplicates_total", "Ticks that were on the tape before and were dropped.")
	m.conflicts = m.counter("conflicts_total", "Duplicates that said something else than the first.")
	m.gaps = m.counter("gaps_total", "Ranges of seqs missing on the tape.")
	m.poison = m.counter("poison_total", "Records that could not be decoded.")
	m.passes = m.counter("passes_total", "Passes published to the shards.")
	m.writes = m.counter("writes_total", "Writes to clients.")
	m.bytes = m.counter("written_bytes_total", "Bytes that clients' sockets accepted.")
	m.staleCloses = m.counter("stale_closes_total", "Times that merged windows of a lane were sent by wall time, since no record came.")
	m.demotions = m.counter("demotions_total", "Moves of a slow client's group to a coarser level.")
	m.promotions = m.counter("promotions_total", "Moves of a group back to a finer level.")
	m.streams = m.gauge("streams", "Streams being built.")
	m.stale = m.gauge("stale_lanes", "Lanes without a record for a second.")
	m.chunks = m.gauge("chunk_bytes", "Memory of the streams' chunks.")
	m.memory = m.gauge("ring_bytes", "Memory of the rings of recent ticks.")
	m.connections = m.labelled("subscribers", "Clients by the form that they read.", "form")
	m.groups = m.labelled("groups", "Groups of symbols that clients watch, by the level at which they are served.", "level")
	m.drops = prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: "tapecast", Subsystem: "hub", Name: "drops_total", Help: "Clients dropped, by reason.",
	}, []string{"reason"})
	m.register(m.drops)
	m.ingest = m.histogram("ingest_seconds", "How long a batch of one lane takes to be taken in.", prometheus.ExponentialBuckets(1e-6, 4, 10))
	m.pass = m.histogram("pass_seconds", "How long a shard takes for a pass in which it wrote.", prometheus.ExponentialBuckets(1e-5, 4, 9))
	m.flush = m.histogram("pass_bytes_per_write", "Mean size of a shard's writes in a pass.", prometheus.ExponentialBuckets(64, 4, 7))
	m.latency = m.histogram("tick_to_socket_seconds", "From the tape time of a pass's newest record to the end of the pass that wrote it.", []float64{0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5})
	m.lag = m.histogram("lag_seconds", "How old the oldest thing is that a client has not got, judged once a second.", []float64{0.001, 0.01, 0.05, 0.25, 1, 5, 30})
	return m
}

func (m *metrics) register(c prometheus.Collector) {
	if m.reg != nil {
		m.reg.MustRegister(c)
	}
}

func (m *metrics) counter(name, help string) prometheus.Counter {
	c := prometheus.NewCounter(prometheus.CounterOpts{Namespace: "tapecast", Subsystem: "hub", Name: name, Help: help})
	m.register(c)
	return c
}

func (m *metrics) gauge(name, help string) prometheus.Gauge {
	g := prometheus.NewGauge(prometheus.GaugeOpts{Namespace: "tapecast", Subsystem: "hub", Name: name, Help: help})
	m.register(g)
	return g
}

func (m *metrics) labelled(name, help, label string) *prometheus.GaugeVec {
	g := prometheus.NewGaugeVec(prometheus.GaugeOpts{Namespace: "tapecast", Subsystem: "hub", Name: name, Help: help}, []string{label})
	m.register(g)
	return g
}

func (m *metrics) histogram(name, help string, buckets []float64) prometheus.Histogram {
	h := prometheus.NewHistogram(prometheus.HistogramOpts{Namespace: "tapecast", Subsystem: "hub", Name: name, Help: help, Buckets: buckets})
	m.register(h)
	return h
}

// wrote is what a shard has written in a pass. It is added up there, so that a write
// costs no shared counter.
type wrote struct{ writes, bytes int }

// passed notes a shard's pass, of the given length, whose newest record is that old.
func (m *metrics) passed(w wrote, length, age time.Duration) {
	if w.writes == 0 {
		return
	}
	m.writes.Add(float64(w.writes))
	m.bytes.Add(float64(w.bytes))
	m.flush.Observe(float64(w.bytes) / float64(w.writes))
	m.pass.Observe(length.Seconds())
	m.latency.Observe(age.Seconds())
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
