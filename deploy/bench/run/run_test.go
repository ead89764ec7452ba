//go:build linux

package main

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tapecast/tapecast/fanout/bench"
)

func TestMedian(t *testing.T) {
	for _, c := range []struct {
		values []float64
		want   float64
	}{{nil, 0}, {[]float64{3}, 3}, {[]float64{9, 1, 2}, 2}, {[]float64{4, 1, 3, 2}, 2.5}} {
		if got := medianOf(c.values); got != c.want {
			t.Errorf("%v: %v, want %v", c.values, got, c.want)
		}
	}
}

// The machine's slow changes favour none: each round goes the other way.
func TestOrder(t *testing.T) {
	servers := []string{"a", "b", "c"}
	if got := order(servers, 1); !slices.Equal(got, []string{"c", "b", "a"}) || !slices.Equal(order(servers, 2), servers) {
		t.Errorf("%v", got)
	}
}

// A ratio is that of two measurements of the same round, and rounds that failed
// do not count.
func TestToFloor(t *testing.T) {
	run := func(us float64) *outcome {
		return &outcome{result: bench.Result{Server: &bench.Server{MicrosPerTick: us}}}
	}
	m := &measured{runs: map[string][]*outcome{
		"floor":    {run(1), run(2), {err: errors.New("x")}, run(4)},
		"tapecast": {run(1.5), run(2.2), run(9), run(4.8)},
	}}
	if got := m.toFloor("tapecast"); got < 1.199 || got > 1.201 {
		t.Errorf("%v, want the median of 1.5, 1.1 and 1.2", got)
	}
	if got := (&measured{runs: map[string][]*outcome{"tapecast": {run(1)}}}).toFloor("tapecast"); got != 0 {
		t.Errorf("%v without a floor", got)
	}
}

func TestScenarios(t *testing.T) {
	for name, want := range map[string]float64{"S-hot": 100_000, "S-hot50": 5_000_000, "S-wide": 100_000, "S-burst": 500_000, "S-all": 2_500_000, "S-adapt": 90_000} {
		i := slices.IndexFunc(scenarios(), func(s scenario) bool { return s.name == name })
		if s := scenarios()[i]; s.deliveries() != want || len(strings.Split(s.list(), ",")) != s.symbols {
			t.Errorf("%s: %v deliveries/s, want %v", name, s.deliveries(), want)
		}
	}
	for _, s := range scenarios() {
		for _, name := range s.servers {
			if !slices.Contains(serverNames(), name) {
				t.Errorf("%s has a server %s that there is not", s.name, name)
			}
		}
	}
}

func TestChoices(t *testing.T) {
	c := config{scenarios: "S-hot,idle-sse", servers: "gosse,floor"}
	plan, err := c.plan()
	if err != nil || len(plan) != 2 || !slices.Equal(plan[0].servers, []string{"floor"}) || !slices.Equal(plan[1].servers, []string{"gosse"}) {
		t.Errorf("%v, %+v", err, plan)
	}
	for words, c := range map[string]config{"there is no \"S-cold\"": {scenarios: "S-cold"}, "takes part": {scenarios: "S-adapt", servers: "nats"}} {
		if _, err := c.plan(); err == nil || !strings.Contains(err.Error(), words) {
			t.Errorf("%q: %v", words, err)
		}
	}
}

// The report has a row for each server, also for one that failed.
func TestReport(t *testing.T) {
	c := config{rounds: 1, window: time.Second, bin: "/x", load1: "0.1"}
	s := scenarios()[0]
	s.servers = []string{"floor", "tapecast"}
	text := c.report([]*measured{{scenario: s, runs: map[string][]*outcome{
		"floor":    {{err: errors.New("port | taken")}},
		"tapecast": {{late: 9, result: bench.Result{Got: 99, Expected: 100, Latency: bench.Latency{P50: 1500, P99: 3700}, BytesPerTick: 98, Server: &bench.Server{MicrosPerTick: 3.1}}}},
	}}})
	for _, want := range []string{
		"| floor | failed: port / taken |", "| tapecast | 3.100 | - | 0.00 | 1.50 | 3.70 |", "99.0 %",
		"publisher was up to 9 ms late", "taskset -c 0 node -listen 127.0.0.1:9800", "-symbols SYMBOLS",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in the report:\n%s", want, text)
		}
	}
}
