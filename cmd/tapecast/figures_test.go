package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tapecast/tapecast/fanout/client"
)

// latencies collects, per transport, how old ticks were when a client got them.
type latencies struct {
	mu  sync.Mutex
	all map[client.Transport][]time.Duration // guarded by mu
}

func (l *latencies) observe(m *member, msg *client.Message) {
	if msg.Type != client.TypeTrade && msg.Type != client.TypeQuote {
		return
	}
	age := time.Since(msg.Time())
	l.mu.Lock()
	l.all[m.transport] = append(l.all[m.transport], age)
	l.mu.Unlock()
}

// quantile returns a quantile in ms; the list must be sorted.
func quantile(sorted []time.Duration, q float64) string {
	d := sorted[min(int(q*float64(len(sorted))), len(sorted)-1)]
	return fmt.Sprintf("%.1f", float64(d)/float64(time.Millisecond))
}

// benchLine reads a benchmark's line of go test.
var benchLine = regexp.MustCompile(`(?m)^(Benchmark\w+)(?:-\d+)?\s+\d+\s+.*?([\d.]+) ns/(?:record|op).*?(\d+) allocs/op`)

func benchmarks(t *testing.T, name, pattern, count string) [][]string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "test", "-run", "^$", "-bench", pattern, "-benchtime", count, "-benchmem", "../../"+name)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s", cmd, err, out)
	}
	// The feeder's benchmark runs minutes of market: what a record costs is the
	// figure that it reports besides.
	text := regexp.MustCompile(`[\d.]+ ns/op(.* ns/record)`).ReplaceAllString(string(out), "$1")
	return benchLine.FindAllStringSubmatch(text, -1)
}

// TestFigures measures what README's table tells; only the full form writes it.
func TestFigures(t *testing.T) {
	count, pause := "10000x", "50ms"
	if full() {
		count, pause = "300000x", "1s"
	}
	var rows strings.Builder
	fmt.Fprintf(&rows, "Measured with `make figures` on %d cores (%s/%s, %s), market, broker, node and clients on the same machine.\n\n",
		runtime.NumCPU(), runtime.GOOS, runtime.GOARCH, runtime.Version())
	rows.WriteString("| tick to client at the default rate, all 60 symbols | ticks | p50 ms | p99 ms |\n|---|---|---|---|\n")
	l := latencies{all: map[client.Transport][]time.Duration{}}
	measure(t, &l, span(t, 3*time.Second))
	for _, transport := range transports {
		ages := l.all[transport]
		if len(ages) == 0 {
			t.Fatalf("%s: no tick came", transport)
		}
		slices.Sort(ages)
		fmt.Fprintf(&rows, "| %s%s | %d | %s | %s |\n", transport,
			map[client.Transport]string{client.ShortPoll: ", every 500 ms"}[transport], len(ages), quantile(ages, 0.5), quantile(ages, 0.99))
	}
	rows.WriteString("\n| benchmark | ns per tick, delivery or record | allocations (feeder: per 10 min of market) |\n|---|---|---|\n")
	for _, b := range [][3]string{
		{"fanout", "Ingest|Deliver", count}, {"feed/feeder", "Feeder", pause}, {"feed/market", "Advance", pause},
	} {
		for _, m := range benchmarks(t, b[0], b[1], b[2]) {
			fmt.Fprintf(&rows, "| %s %s | %s | %s |\n", b[0], m[1], m[2], m[3])
		}
	}
	t.Log("\n" + rows.String())
	if full() {
		writeFigures(t, rows.String())
	}
}

func measure(t *testing.T, l *latencies, d time.Duration) {
	t.Helper()
	broker := startKafka(t)
	start(t, "feed", "--kafka", broker.Addr())
	node := startNode(t, "--kafka", broker.Addr())
	f := startFleet(t, 1, l.observe, node.url)
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	<-ctx.Done()
	f.stop()
	for _, m := range f.members {
		report := m.tiling.Report()
		if err := report.Err(); err != nil {
			t.Error(err)
		}
	}
}

// writeFigures puts the table between its marks in README.
func writeFigures(t *testing.T, table string) {
	t.Helper()
	const path, begin, end = "../../README.md", "<!-- figures -->\n", "<!-- /figures -->"
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, found := strings.Cut(string(text), begin)
	_, after, closed := strings.Cut(rest, end)
	if !found || !closed {
		t.Fatalf("%s has no marks %q and %q", path, begin, end)
	}
	if err := os.WriteFile(path, []byte(before+begin+table+end+after), 0o600); err != nil {
		t.Fatal(err)
	}
}
