package bench

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Result is what a run found.
type Result struct {
	Target       string  `json:"target"`
	Transport    string  `json:"transport"`
	Clients      int     `json:"clients"`
	Slow         int     `json:"slow"`
	Stalled      int     `json:"stalled"`
	Reconnecting int     `json:"reconnecting"`
	Symbols      int     `json:"symbols"`
	Each         int     `json:"each"`    // symbols that a client watches
	Seconds      float64 `json:"seconds"` // of the measured window

	// Of the steady clients: what they got and what they should have, in ticks,
	// and when.
	Got          uint64  `json:"got"`
	Expected     uint64  `json:"expected"`
	Messages     uint64  `json:"messages"`
	BytesPerTick float64 `json:"bytes_per_tick"`
	Latency      Latency `json:"latency_us"`
	// Of the slow and the reconnecting ones.
	SlowGot         uint64  `json:"slow_got"`
	SlowLatency     Latency `json:"slow_latency_us"`
	ResumingGot     uint64  `json:"resuming_got"`
	ResumingLatency Latency `json:"resuming_latency_us"`

	Server    *Server `json:"server,omitempty"`
	Generator float64 `json:"generator_cores"`

	Tiling     Tiling         `json:"tiling"`
	Checked    Checked        `json:"checked"`
	Reconnects int            `json:"reconnects"`
	Lost       int            `json:"lost"`
	Why        map[string]int `json:"why_lost,omitempty"`
}

// Server is what the server used.
type Server struct {
	Cores         float64 `json:"cores"`            // in the window
	MicrosPerTick float64 `json:"cpu_us_per_tick"`  // CPU time per delivered tick, in the window
	ConnectMicros float64 `json:"connect_us"`       // CPU time per client, while they connected
	PerConnection float64 `json:"rss_kib_per_conn"` // growth of the resident memory while they connected
	RSSBefore     float64 `json:"rss_before_mib"`   // before there were clients
	RSSBegin      float64 `json:"rss_begin_mib"`    // of the window
	RSSEnd        float64 `json:"rss_end_mib"`      // of the window
}

// result makes up what the loop has found.
func (b *Bench) result(l *loop) (*Result, error) {
	o := &b.options
	r := &Result{
		Target: o.URL + o.PeerURL, Transport: o.Transport, Clients: o.Clients, Slow: o.Slow, Stalled: o.Stalled, Reconnecting: o.Reconnecting,
		Symbols: len(l.names), Each: l.each, Seconds: l.last.at.Sub(l.first.at).Seconds(),
		Tiling: l.tiling, Reconnects: l.resumed, Lost: l.lost, Why: l.why,
	}
	if o.PeerURL != "" {
		r.Transport, _, _ = strings.Cut(o.PeerURL, ":")
	}
	t := l.tallies[steady]
	r.Got, r.Messages, r.Latency = t.ticks, t.messages, t.quantiles()
	r.Expected = b.expected(l, r.Seconds)
	if t.ticks > 0 {
		r.BytesPerTick = float64(t.bytes) / float64(t.ticks)
	}
	r.SlowGot, r.SlowLatency = l.tallies[slow].ticks, l.tallies[slow].quantiles()
	r.ResumingGot, r.ResumingLatency = l.tallies[reconnecting].ticks, l.tallies[reconnecting].quantiles()
	r.Generator = (l.last.own - l.first.own) / r.Seconds
	for _, id := range slices.Sorted(maps.Keys(l.checks)) {
		r.Checked.add(l.checks[id], o.Verify)
	}
	if !l.meter.known() {
		return r, nil
	}
	var err error
	r.Server, err = serverOf(l, float64(r.Got+r.SlowGot+r.ResumingGot)/r.Seconds)
	return r, err
}

// expected is how many ticks the steady clients ought to have got in the window.
func (b *Bench) expected(l *loop, seconds float64) uint64 {
	if b.options.Expect > 0 {
		return uint64(b.options.Expect * seconds)
	}
	var sum uint64
	for _, id := range l.steady {
		c := &l.conns[id]
		for slot := range l.each {
			at := l.symbol(c, slot) * channels
			for i := at; i < at+channels; i++ {
				if l.first.heads[i] != 0 {
					sum += l.last.heads[i] - l.first.heads[i]
				}
			}
		}
	}
	return sum
}

// serverOf makes up what the server used; rate is how many ticks per second were
// delivered to all.
func serverOf(l *loop, rate float64) (*Server, error) {
	begin, end := <-l.first.usage, <-l.last.usage
	if err := errors.Join(l.connected.err, begin.err, end.err); err != nil {
		return nil, fmt.Errorf("the server could not be measured to the end: %w", err)
	}
	const mib = 1 << 20
	n := float64(len(l.conns))
	s := &Server{
		Cores:         (end.cpu - begin.cpu) / end.at.Sub(begin.at).Seconds(),
		ConnectMicros: (l.connected.cpu - l.before.cpu) * 1e6 / n,
		PerConnection: (begin.rss - l.before.rss) / 1024 / n,
		RSSBefore:     l.before.rss / mib, RSSBegin: begin.rss / mib, RSSEnd: end.rss / mib,
	}
	if rate > 0 {
		s.MicrosPerTick = s.Cores * 1e6 / rate
	}
	return s, nil
}

// Err says what was wrong with what clients got; nil: nothing.
func (r *Result) Err() error {
	var errs []error
	if t := r.Tiling; t.Holes+t.Overlaps+t.Malformed > 0 {
		errs = append(errs, fmt.Errorf("%d holes (%d ticks missing), %d overlaps, %d malformed messages", t.Holes, t.Missing, t.Overlaps, t.Malformed))
	}
	if c := r.Checked; c.Holes+c.Overlaps+c.Altered+c.Broken > 0 {
		errs = append(errs, fmt.Errorf("the full check of %d clients: %d holes, %d overlaps, %d altered, %d broken: %q", c.Clients, c.Holes, c.Overlaps, c.Altered, c.Broken, c.Faults))
	}
	return errors.Join(errs...)
}

// String returns the result as a table for people.
func (r *Result) String() string {
	var b strings.Builder
	line := func(name, format string, args ...any) {
		fmt.Fprintf(&b, "%-20s "+format+"\n", append([]any{name}, args...)...)
	}
	line("server", "%s over %s", r.Target, r.Transport)
	line("clients", "%d on %d of %d symbols each%s", r.Clients, r.Each, r.Symbols, r.parts())
	line("window", "%.1f s", r.Seconds)
	line("delivered", "%d ticks, %.0f/s, %s of those expected", r.Got, float64(r.Got)/r.Seconds, percent(r.Got, r.Expected))
	line("bytes per tick", "%.1f, in %d messages", r.BytesPerTick, r.Messages)
	line("latency", "%s", r.Latency)
	if r.Slow > 0 {
		line("  slow clients", "%s, %d ticks", r.SlowLatency, r.SlowGot)
	}
	if r.Reconnecting > 0 {
		line("  reconnecting", "%s, %d ticks, resumed %d times", r.ResumingLatency, r.ResumingGot, r.Reconnects)
	}
	if s := r.Server; s != nil {
		line("server CPU", "%.3f µs per delivered tick, %.2f cores; %.0f µs per connect", s.MicrosPerTick, s.Cores, s.ConnectMicros)
		line("server memory", "%.1f MiB, %.1f at the end; %.2f KiB per connection", s.RSSBegin, s.RSSEnd, s.PerConnection)
	}
	line("generator CPU", "%.2f cores%s", r.Generator, r.doubt())
	line("tiling", "%d holes (%d ticks), %d overlaps, %d gaps; %d clients with sums: %d holes, %d altered",
		r.Tiling.Holes, r.Tiling.Missing, r.Tiling.Overlaps, r.Tiling.Gaps, r.Checked.Clients, r.Checked.Holes, r.Checked.Altered)
	if r.Lost > 0 {
		line("lost", "%d connections", r.Lost)
		for _, why := range slices.Sorted(maps.Keys(r.Why)) {
			line("", "%d: %s", r.Why[why], why)
		}
	}
	return b.String()
}

// parts tells of the clients that are not steady.
func (r *Result) parts() string {
	var s string
	for _, part := range []struct {
		n    int
		what string
	}{{r.Slow, "slow"}, {r.Stalled, "stalled"}, {r.Reconnecting, "reconnecting"}} {
		if part.n > 0 {
			s += fmt.Sprintf(", %d %s", part.n, part.what)
		}
	}
	return s
}

// doubt says when the figures may be the generator's own.
func (r *Result) doubt() string {
	if r.Generator < 0.9 {
		return ""
	}
	return ": it is busy itself, so latencies may be its own"
}

func percent(part, of uint64) string {
	if of == 0 {
		return "-"
	}
	return fmt.Sprintf("%.1f %%", 100*float64(part)/float64(of))
}

// String returns the quantiles in ms.
func (l Latency) String() string {
	ms := func(us int64) time.Duration { return time.Duration(us) * time.Microsecond }
	return fmt.Sprintf("p50 %v, p99 %v, p99.9 %v, max %v", ms(l.P50), ms(l.P99), ms(l.P999), ms(l.Max))
}
