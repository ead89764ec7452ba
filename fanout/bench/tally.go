package bench

import (
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// longest is the longest latency that is told apart, µs; what took longer counts
// as that.
const longest = int64(10 * time.Minute / time.Microsecond)

// tally is what one sort of clients got within the measured window.
type tally struct {
	ticks    uint64
	messages uint64
	bytes    uint64 // of the messages and their framing
	latency  *hdrhistogram.Histogram
}

func newTally() *tally {
	return &tally{latency: hdrhistogram.New(1, longest, 3)}
}

// record counts a message that came at now, µs UTC. Each of its ticks counts with
// its own time. Of an agg only the first and the last time are told: the others
// are taken as spread evenly between them. A merged quote is one observation: those
// that it replaces were never meant to arrive.
func (t *tally) record(m *message, now int64) {
	n := m.ticks()
	t.messages++
	t.ticks += n
	if m.kind != agg || n == 1 {
		t.add(now-m.ts, 1)
		return
	}
	span, left := m.ts-m.t0, int64(n)
	steps := min(left, 8)
	for i := int64(0); i < steps && left > 0; i++ {
		share := (left + steps - i - 1) / (steps - i)
		t.add(now-m.t0-span*i/(steps-1), share)
		left -= share
	}
}

func (t *tally) add(latency, n int64) {
	// A histogram takes nothing that is out of its bounds: it is within them.
	_ = t.latency.RecordValues(min(max(latency, 1), longest), n)
}

// Latency is publish to receive: from a tick's ts to the read that brought it,
// µs.
type Latency struct {
	P50  int64 `json:"p50"`
	P99  int64 `json:"p99"`
	P999 int64 `json:"p999"`
	Max  int64 `json:"max"`
}

func (t *tally) quantiles() Latency {
	h := t.latency
	return Latency{P50: h.ValueAtQuantile(50), P99: h.ValueAtQuantile(99), P999: h.ValueAtQuantile(99.9), Max: h.Max()}
}
