//go:build linux

// Command run measures Tapecast, the floor and its peers: it builds them all,
// runs each scenario with each server in alternation, the server on one core,
// publisher and load generator on another, and writes the table of the medians.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// config is what the flags say.
type config struct {
	scenarios, servers   string
	rounds               int
	window, warmup       time.Duration
	serverCPU, clientCPU int
	out, bin             string
	list                 bool
	nodeArgs             string
	load1                string // the machine's load average of a minute, at the beginning
}

func main() {
	var c config
	flag.StringVar(&c.scenarios, "scenarios", "", "which, with commas between (default all; -list names them)")
	flag.StringVar(&c.servers, "servers", "", "which, with commas between (default all that a scenario has)")
	flag.IntVar(&c.rounds, "rounds", 3, "alternations, of which the median counts")
	flag.DurationVar(&c.window, "window", 5*time.Second, "how long each measurement takes")
	flag.DurationVar(&c.warmup, "warmup", 2*time.Second, "how long clients run before it")
	flag.IntVar(&c.serverCPU, "server-cpu", 0, "core of the server")
	flag.IntVar(&c.clientCPU, "client-cpu", 1, "core of publisher and load generator")
	flag.StringVar(&c.out, "o", "deploy/bench/RESULTS.md", `file of the table; "" prints it alone`)
	flag.StringVar(&c.bin, "bin", ".bin/bench", "folder of what is built")
	flag.BoolVar(&c.list, "list", false, "list scenarios and servers, and end")
	flag.StringVar(&c.nodeArgs, "node-args", "", "more arguments of Tapecast's server, with spaces between")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := c.run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func (c *config) run(ctx context.Context) error {
	plan, err := c.plan()
	if err != nil {
		return err
	}
	if c.list {
		return list(plan)
	}
	if c.rounds < 1 || c.window <= 0 {
		return errors.New("-rounds and -window must be positive")
	}
	if c.bin, err = filepath.Abs(c.bin); err != nil {
		return err
	}
	c.load1 = loadAverage()
	if v, err := strconv.ParseFloat(c.load1, 64); err == nil && v > 0.5 {
		fmt.Fprintf(os.Stderr, "the load average is %s: what else runs on this machine is in the figures\n", c.load1)
	}
	if err := build(ctx, c.bin, plan); err != nil {
		return err
	}
	var done []*measured
	for i, s := range plan {
		m := &measured{scenario: s, runs: map[string][]*outcome{}}
		done = append(done, m)
		for round := range c.rounds {
			for _, name := range order(s.servers, round) {
				o := c.measure(ctx, &s, name)
				if ctx.Err() != nil {
					return ctx.Err()
				}
				m.runs[name] = append(m.runs[name], o)
				fmt.Fprintf(os.Stderr, "%s (%d of %d), round %d of %d, %s: %s\n", s.name, i+1, len(plan), round+1, c.rounds, name, o)
			}
		}
	}
	text := c.report(done)
	fmt.Print(text)
	if c.out == "" {
		return nil
	}
	return os.WriteFile(c.out, []byte(text), 0o644)
}

func loadAverage() string {
	raw, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "not known"
	}
	first, _, _ := strings.Cut(string(raw), " ")
	return first
}

// order turns the servers round in every other round, so that what changes
// slowly on the machine favours none.
func order(servers []string, round int) []string {
	servers = slices.Clone(servers)
	if round%2 == 1 {
		slices.Reverse(servers)
	}
	return servers
}

// plan is the scenarios that were asked for, with their servers.
func (c *config) plan() ([]scenario, error) {
	wanted, err := choose("-scenarios", c.scenarios, names(scenarios()))
	if err != nil {
		return nil, err
	}
	of, err := choose("-servers", c.servers, serverNames())
	if err != nil {
		return nil, err
	}
	var plan []scenario
	for _, s := range scenarios() {
		if !slices.Contains(wanted, s.name) {
			continue
		}
		s.servers = slices.DeleteFunc(slices.Clone(s.servers), func(name string) bool { return !slices.Contains(of, name) })
		if len(s.servers) > 0 {
			plan = append(plan, s)
		}
	}
	if len(plan) == 0 {
		return nil, errors.New("none of the servers takes part in the scenarios: see -list")
	}
	return plan, nil
}

func names(list []scenario) (names []string) {
	for _, s := range list {
		names = append(names, s.name)
	}
	return names
}

// choose reads a list of names; "" is all that there are.
func choose(flag, text string, all []string) ([]string, error) {
	if text == "" {
		return all, nil
	}
	chosen := strings.Split(text, ",")
	for _, name := range chosen {
		if !slices.Contains(all, name) {
			return nil, fmt.Errorf("%s: there is no %q, there are %s", flag, name, strings.Join(all, ", "))
		}
	}
	return chosen, nil
}

func list(plan []scenario) error {
	for _, s := range plan {
		fmt.Printf("%-14s %s\n%-14s servers: %s\n", s.name, s.about, "", strings.Join(s.servers, ", "))
	}
	return nil
}
