package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// usage is what a process had used at one time.
type usage struct {
	at  time.Time
	cpu float64 // seconds of user and system time
	rss float64 // bytes
	err error
}

// meter reads the server's usage.
type meter struct {
	pid   int
	admin string
}

func (m meter) known() bool { return m.pid != 0 || m.admin != "" }

// read returns the usage now.
func (m meter) read(ctx context.Context) usage {
	var u usage
	if m.pid != 0 {
		u.cpu, u.rss, u.err = ofProcess(m.pid)
	} else {
		u.cpu, u.rss, u.err = ofMetrics(ctx, m.admin)
	}
	u.at = time.Now()
	return u
}

// ticksPerSecond is the unit of times in /proc on every Linux that Go runs on.
const ticksPerSecond = 100

func ofProcess(pid int) (cpu, rss float64, err error) {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, 0, fmt.Errorf("the server's process: %w", err)
	}
	return parseStat(raw, os.Getpagesize())
}

// parseStat reads the CPU time (s) and the resident memory (bytes) from a
// process's stat file.
func parseStat(raw []byte, page int) (cpu, rss float64, err error) {
	// The name before the fields may have anything in it, parentheses too.
	_, rest, ok := strings.Cut(string(raw[bytes.LastIndexByte(raw, ')')+1:]), " ")
	fields := strings.Fields(rest)
	if !ok || len(fields) < 22 {
		return 0, 0, fmt.Errorf("can't make out a process's usage from %q", raw)
	}
	utime, err1 := strconv.ParseFloat(fields[11], 64)
	stime, err2 := strconv.ParseFloat(fields[12], 64)
	pages, err3 := strconv.ParseFloat(fields[21], 64)
	return (utime + stime) / ticksPerSecond, pages * float64(page), errors.Join(err1, err2, err3)
}

func ofMetrics(ctx context.Context, admin string) (cpu, rss float64, err error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	body, err := get(ctx, strings.TrimSuffix(admin, "/")+"/metrics")
	if err != nil {
		return 0, 0, fmt.Errorf("the server's metrics: %w", err)
	}
	if cpu, err = metric(body, "process_cpu_seconds_total"); err != nil {
		return 0, 0, err
	}
	rss, err = metric(body, "process_resident_memory_bytes")
	return cpu, rss, err
}

// metric finds a metric without labels in the text format of Prometheus.
func metric(body []byte, name string) (float64, error) {
	for line := range bytes.Lines(body) {
		if rest, ok := bytes.CutPrefix(line, []byte(name+" ")); ok {
			return strconv.ParseFloat(strings.TrimSpace(string(rest)), 64)
		}
	}
	return 0, fmt.Errorf("the server's metrics have no %s", name)
}
