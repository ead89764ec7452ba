package kafka

import "time"

// Age makes the writer's epoch older, for the test of its renewal.
func (w *Writer) Age(by time.Duration) { w.since = w.since.Add(-by) }

// Epoch is the writer's epoch.
func (w *Writer) Epoch() int16 { return w.epoch }
