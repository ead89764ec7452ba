package server

import (
	"runtime"
	"time"

	"github.com/gofiber/fiber/v2"
	dto "github.com/prometheus/client_model/go"

	"github.com/tapecast/tapecast/feed"
)

// statistics is the body of /v1/stats.
type statistics struct {
	Node        string         `json:"node"`
	Tape        string         `json:"tape"`
	Ready       bool           `json:"ready"`
	Uptime      float64        `json:"uptime_s"`
	Connections map[string]int `json:"connections"` // by transport
	Streams     int            `json:"streams"`     // that the hub builds
	Ticks       uint64         `json:"ticks"`       // taken from the tape
	Writes      uint64         `json:"writes"`
	Bytes       uint64         `json:"bytes"`
	Dropped     uint64         `json:"dropped"`
	At          int64          `json:"at"`        // tape time, µs UTC
	Behind      int64          `json:"behind_ms"` // of the wall's time
	Position    feed.Position  `json:"position"`
	Goroutines  int            `json:"goroutines"`
	Heap        uint64         `json:"heap_bytes"`
	Resident    uint64         `json:"resident_bytes,omitempty"`
	CPU         float64        `json:"cpu_s,omitempty"`
	Cursor      string         `json:"cursor"`
}

// stats answers GET /v1/stats: how the node is. It is answered before the node
// is ready too.
func (s *Server) stats(c *fiber.Ctx) error {
	_, err := s.ready()
	st := statistics{
		Node: s.options.Node, Ready: err == nil, Uptime: time.Since(s.began).Seconds(),
		Connections: map[string]int{}, Goroutines: runtime.NumGoroutine(),
	}
	if e := s.engine.Load(); e != nil {
		at := e.cut()
		_, ts := e.hub.Cut()
		st.Tape, st.Position, st.Cursor = at.Tape.String(), at.Position, at.String()
		st.At, st.Behind = ts/1000, max(0, time.Now().UnixNano()-ts)/int64(time.Millisecond)
	}
	if err := s.measure(&st); err != nil {
		return err
	}
	c.Set(fiber.HeaderCacheControl, "no-store")
	return c.JSON(st)
}

// measure reads the counters that the process has for its metrics.
func (s *Server) measure(st *statistics) error {
	var mem runtime.MemStats
	runtime.ReadMemStats(&mem)
	st.Heap = mem.HeapAlloc
	if s.options.Gatherer == nil {
		return nil
	}
	families, err := s.options.Gatherer.Gather()
	if err != nil {
		return err
	}
	for _, f := range families {
		switch f.GetName() {
		case "tapecast_hub_subscribers":
			for _, m := range f.GetMetric() {
				st.Connections[m.GetLabel()[0].GetValue()] = int(m.GetGauge().GetValue())
			}
		case "tapecast_hub_streams":
			st.Streams = int(total(f))
		case "tapecast_hub_ticks_total":
			st.Ticks = uint64(total(f))
		case "tapecast_hub_writes_total":
			st.Writes = uint64(total(f))
		case "tapecast_hub_written_bytes_total":
			st.Bytes = uint64(total(f))
		case "tapecast_hub_drops_total":
			st.Dropped = uint64(total(f))
		case "process_resident_memory_bytes":
			st.Resident = uint64(total(f))
		case "process_cpu_seconds_total":
			st.CPU = total(f)
		}
	}
	return nil
}

// total returns the sum over a family's labels.
func total(f *dto.MetricFamily) float64 {
	var sum float64
	for _, m := range f.GetMetric() {
		sum += m.GetCounter().GetValue() + m.GetGauge().GetValue()
	}
	return sum
}
