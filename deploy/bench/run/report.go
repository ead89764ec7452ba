//go:build linux

package main

import (
	"bytes"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"
)

// measured is a scenario and what came of it, by server.
type measured struct {
	scenario
	runs map[string][]*outcome
}

// median returns the median of a figure over the rounds that went well.
func median(runs []*outcome, figure func(*outcome) float64) float64 {
	var values []float64
	for _, o := range runs {
		if o.err == nil {
			values = append(values, figure(o))
		}
	}
	return medianOf(values)
}

func medianOf(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	slices.Sort(values)
	if n := len(values); n%2 == 0 {
		return (values[n/2-1] + values[n/2]) / 2
	}
	return values[len(values)/2]
}

// toFloor is the median of the ratios to the floor, each within its round; 0 if
// the floor was not measured.
func (m *measured) toFloor(name string) float64 {
	var ratios []float64
	for i, o := range m.runs[name] {
		if floor := m.runs["floor"]; i < len(floor) && o.err == nil && floor[i].err == nil {
			ratios = append(ratios, o.result.Server.MicrosPerTick/floor[i].result.Server.MicrosPerTick)
		}
	}
	return medianOf(ratios)
}

// report is the whole of the results as Markdown.
func (c *config) report(done []*measured) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Tapecast, its peers and the floor\n\n")
	fmt.Fprintf(&b, "Written by `make bench-peers`; README.md tells what is measured and how. %s. Load average when it began: %s.\n\n", machine(), c.load1)
	fmt.Fprintf(&b, "Server on core %d with GOMAXPROCS=1; publisher and load generator on core %d. Medians of %d alternations, windows of %v after %v. ",
		c.serverCPU, c.clientCPU, c.rounds, c.window, c.warmup)
	fmt.Fprintf(&b, "CPU is the server's user and system time per delivered tick, so it has in it what the kernel does for a receiver on the same machine. x floor is the median of the ratios within a round.\n")
	for _, m := range done {
		fmt.Fprintf(&b, "\n## %s: %s\n\n", m.name, m.about)
		if m.idle {
			m.memory(&b)
		} else {
			m.delivery(&b)
		}
	}
	c.commands(&b, done)
	return b.String()
}

// commands writes how all of it can be done by hand.
func (c *config) commands(b *strings.Builder, done []*measured) {
	at := ports{9800, 9900}
	fmt.Fprintf(b, "\n## Commands\n\nPrograms are those in %s; ports were any free ones. SYMBOLS are BENCH000,BENCH001,… as many as there are, PID is the server's process.\n\nServers:\n\n```\n", relative(c.bin))
	for _, of := range servers() {
		command := c.command(&scenario{gather: 10}, of, at)
		command[0] = strings.TrimPrefix(command[0], c.bin+"/")
		fmt.Fprintf(b, "%-11s # %s\n%11s taskset -c %d %s\n", of.name, of.what, "", c.serverCPU, quoted(command))
		fmt.Fprintf(b, "%11s tapecast bench … %s\n", "", quoted(of.target(&scenario{sse: of.scheme == "http"}, at)))
	}
	fmt.Fprintf(b, "```\n\nThe floor's last argument is for how many ms it gathers: 0 in S-hot and S-wide, else 10. Loads:\n\n```\n")
	for _, m := range done {
		args := m.benchArgs(c.warmup, c.window)
		args[slices.Index(args, m.list())] = "SYMBOLS"
		fmt.Fprintf(b, "%-13s taskset -c %d publish -to 127.0.0.1:9900 -as json|tape -rate %v -symbols SYMBOLS\n", m.name, c.clientCPU, m.rate)
		fmt.Fprintf(b, "%-13s taskset -c %d tapecast %s --pid PID …\n", "", c.clientCPU, strings.Join(args, " "))
	}
	b.WriteString("```\n")
}

// relative returns a folder as seen from here, if it is below.
func relative(folder string) string {
	if here, err := os.Getwd(); err == nil {
		return strings.TrimPrefix(folder, here+"/")
	}
	return folder
}

// quoted returns arguments as a shell takes them.
func quoted(args []string) string {
	out := make([]string, len(args))
	for i, arg := range args {
		if out[i] = arg; strings.ContainsAny(arg, " {}?\\\"") {
			out[i] = "'" + arg + "'"
		}
	}
	return strings.Join(out, " ")
}

// delivery writes the rows of a scenario in which ticks flow.
func (m *measured) delivery(b *strings.Builder) {
	b.WriteString("| server | CPU µs/tick | x floor | cores | p50 ms | p99 ms | p99.9 ms | max ms | delivered | bytes/tick | RSS MiB | lost | generator cores |\n")
	b.WriteString("|---|---|---|---|---|---|---|---|---|---|---|---|---|\n")
	for _, name := range m.servers {
		runs := m.runs[name]
		if failed(b, name, runs, 11) {
			continue
		}
		ratio := "-"
		if x := m.toFloor(name); x > 0 {
			ratio = fmt.Sprintf("%.2f", x)
		}
		of := func(f func(*outcome) float64) float64 { return median(runs, f) }
		ms := func(f func(*outcome) int64) string {
			return fmt.Sprintf("%.2f", of(func(o *outcome) float64 { return float64(f(o)) / 1000 }))
		}
		fmt.Fprintf(b, "| %s | %.3f | %s | %.2f | %s | %s | %s | %s | %.1f %% | %.1f | %.0f to %.0f | %.0f | %.2f |\n", name,
			of(func(o *outcome) float64 { return o.result.Server.MicrosPerTick }), ratio,
			of(func(o *outcome) float64 { return o.result.Server.Cores }),
			ms(func(o *outcome) int64 { return o.result.Latency.P50 }), ms(func(o *outcome) int64 { return o.result.Latency.P99 }),
			ms(func(o *outcome) int64 { return o.result.Latency.P999 }), ms(func(o *outcome) int64 { return o.result.Latency.Max }),
			of(func(o *outcome) float64 { return 100 * float64(o.result.Got) / float64(max(o.result.Expected, 1)) }),
			of(func(o *outcome) float64 { return o.result.BytesPerTick }),
			of(func(o *outcome) float64 { return o.result.Server.RSSBegin }), of(func(o *outcome) float64 { return o.result.Server.RSSEnd }),
			of(func(o *outcome) float64 { return float64(o.result.Lost) }), of(func(o *outcome) float64 { return o.result.Generator }))
	}
	m.notes(b)
}

// notes tells what the table has no column for.
func (m *measured) notes(b *strings.Builder) {
	for _, name := range m.servers {
		for round, o := range m.runs[name] {
			if o.err != nil {
				continue
			}
			if t := o.result.Tiling; t.Holes+t.Overlaps+t.Malformed > 0 {
				fmt.Fprintf(b, "\n%s, round %d: clients saw %d holes (%d ticks), %d overlaps, %d malformed messages.\n", name, round+1, t.Holes, t.Missing, t.Overlaps, t.Malformed)
			}
			if o.late > 5 {
				fmt.Fprintf(b, "\n%s, round %d: the publisher was up to %.0f ms late, which is in the latencies.\n", name, round+1, o.late)
			}
		}
	}
}

// memory writes the rows of a scenario in which nothing flows.
func (m *measured) memory(b *strings.Builder) {
	b.WriteString("| server | RSS per connection, KiB | RSS before, MiB | with all, MiB | connect, CPU µs |\n|---|---|---|---|---|\n")
	for _, name := range m.servers {
		runs := m.runs[name]
		if failed(b, name, runs, 3) {
			continue
		}
		of := func(f func(*outcome) float64) float64 { return median(runs, f) }
		fmt.Fprintf(b, "| %s | %.2f | %.1f | %.1f | %.0f |\n", name,
			of(func(o *outcome) float64 { return o.result.Server.PerConnection }), of(func(o *outcome) float64 { return o.result.Server.RSSBefore }),
			of(func(o *outcome) float64 { return o.result.Server.RSSBegin }), of(func(o *outcome) float64 { return o.result.Server.ConnectMicros }))
	}
}

// failed writes a row of a server that could not be measured in any round.
func failed(b *strings.Builder, name string, runs []*outcome, columns int) bool {
	for _, o := range runs {
		if o.err == nil {
			return false
		}
	}
	text := strings.ReplaceAll(strings.Join(strings.Fields(runs[0].err.Error()), " "), "|", "/")
	fmt.Fprintf(b, "| %s | failed: %.200s |%s\n", name, text, strings.Repeat(" |", columns))
	return true
}

// machine says what this is measured on.
func machine() string {
	model := runtime.GOARCH
	if info, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		if _, rest, ok := bytes.Cut(info, []byte("model name")); ok {
			line, _, _ := bytes.Cut(rest, []byte("\n"))
			model = strings.TrimSpace(strings.TrimLeft(string(line), "\t :"))
		}
	}
	kernel := "Linux"
	var u syscall.Utsname
	if syscall.Uname(&u) == nil {
		var text []byte
		for _, c := range u.Release {
			if c == 0 {
				break
			}
			text = append(text, byte(c))
		}
		kernel += " " + string(text)
	}
	return fmt.Sprintf("%s, %d cores, %s, %s, %s", model, runtime.NumCPU(), kernel, runtime.Version(), time.Now().UTC().Format("2 January 2006"))
}
