package feeder_test

import (
	"context"
	"slices"
	"time"
)

// record is one of memoryTape, as it was written.
type record struct {
	ts    int64
	key   string
	value []byte
}

// memoryTape is a tape without a broker. Its Tails windows are tiny, so that
// reading backwards is put to the test.
type memoryTape struct {
	lanes   [][]record // safe
	pending [][]record
	flushes int
	window  int
	// onFlush comes before anything is written; an error of it ends the flush
	// with only the first keep lanes written.
	onFlush func(ctx context.Context) error
	keep    int
}

func newTape(lanes int) *memoryTape {
	return &memoryTape{lanes: make([][]record, lanes), pending: make([][]record, lanes), window: 7}
}

func (m *memoryTape) Append(lane int, ts int64, key, value []byte) {
	m.pending[lane] = append(m.pending[lane], record{ts: ts, key: string(key), value: slices.Clone(value)})
}

func (m *memoryTape) Flush(ctx context.Context) error {
	m.flushes++
	var err error
	keep := len(m.lanes)
	if m.onFlush != nil {
		if err = m.onFlush(ctx); err != nil {
			keep = m.keep
		}
	}
	for lane := range m.lanes {
		if lane < keep {
			m.lanes[lane] = append(m.lanes[lane], m.pending[lane]...)
		}
		m.pending[lane] = m.pending[lane][:0]
	}
	return err
}

func (m *memoryTape) Tails(_ context.Context, visit func(int, int64, []byte, []byte) error, enough func() bool) error {
	to := make([]int, len(m.lanes))
	left := 0
	for lane := range m.lanes {
		to[lane] = len(m.lanes[lane])
		left += to[lane]
	}
	for window := m.window; left > 0 && !enough(); window *= 2 {
		for lane := range m.lanes {
			from := max(0, to[lane]-window)
			for i, r := range m.lanes[lane][from:to[lane]] {
				if err := visit(lane, int64(from+i), []byte(r.key), r.value); err != nil {
					return err
				}
			}
			left -= to[lane] - from
			to[lane] = from
		}
	}
	return nil
}

// outage makes the flush at that moment take that long.
func (m *memoryTape) outage(at time.Time, d time.Duration) {
	m.onFlush = func(context.Context) error {
		if time.Now().After(at) {
			time.Sleep(d) // of a synctest bubble
			m.onFlush = nil
		}
		return nil
	}
}
