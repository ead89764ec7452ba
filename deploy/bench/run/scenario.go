//go:build linux

package main

import (
	"fmt"
	"strings"
	"time"
)

// scenario is one load, the same for all its servers.
type scenario struct {
	name, about string
	clients     int
	symbols     int
	each        int     // symbols of a client
	rate        float64 // ticks per second over all symbols
	gather      int     // ms for which the floor gathers, as a server that paces its writes
	slow        string  // clients that read slowly, as `tapecast bench --slow`
	slowClients int
	sse         bool
	idle        bool // nothing is published: memory is what is measured
	servers     []string
}

// scenarios returns all there are.
func scenarios() []scenario {
	ws := []string{"floor", "tapecast", "nats", "centrifuge", "gorilla", "gws"}
	return []scenario{
		{name: "S-hot", about: "1,000 clients on 1 symbol, 100 ticks/s", clients: 1000, symbols: 1, each: 1, rate: 100, servers: ws},
		{name: "S-hot10", about: "1,000 clients on 1 symbol, 1,000 ticks/s", clients: 1000, symbols: 1, each: 1, rate: 1000, gather: 10, servers: append([]string{"floor", "tapecast", "immediate"}, ws[2:]...)},
		{name: "S-hot50", about: "1,000 clients on 1 symbol, 5,000 ticks/s", clients: 1000, symbols: 1, each: 1, rate: 5000, gather: 10, servers: ws},
		{name: "S-wide", about: "10,000 clients on 1 of 100 symbols each, 1,000 ticks/s", clients: 10_000, symbols: 100, each: 1, rate: 1000, servers: ws},
		{name: "S-burst", about: "1,000 clients on 50 of 500 symbols each, 5,000 ticks/s", clients: 1000, symbols: 500, each: 50, rate: 5000, gather: 10, servers: ws},
		{name: "S-all", about: "500 clients on all of 500 symbols, 5,000 ticks/s", clients: 500, symbols: 500, each: 500, rate: 5000, gather: 10, servers: []string{"floor", "tapecast"}},
		{
			name: "S-adapt", about: "S-wide, 1,000 of its clients read 2 kB/s; latency is that of the others", clients: 10_000, symbols: 100, each: 1, rate: 1000,
			slow: "1000@2kB", slowClients: 1000, servers: []string{"tapecast"},
		},
		{
			name: "S-slow", about: "S-wide, 1,000 of its clients read 300 B/s, a third of what they are sent; latency is that of the others", clients: 10_000, symbols: 100, each: 1, rate: 1000,
			slow: "1000@300B", slowClients: 1000, servers: []string{"tapecast"},
		},
		{name: "S-hot-sse", about: "S-hot over SSE", clients: 1000, symbols: 1, each: 1, rate: 100, sse: true, servers: []string{"tapecast", "gosse"}},
		{name: "idle-ws", about: "19,000 WebSocket clients on 1 of 100 symbols each, nothing published", clients: 19_000, symbols: 100, each: 1, idle: true, servers: []string{"tapecast", "nats", "centrifuge", "gorilla", "gws"}},
		{name: "idle-sse", about: "19,000 SSE clients on 1 of 100 symbols each, nothing published", clients: 19_000, symbols: 100, each: 1, idle: true, sse: true, servers: []string{"tapecast", "gosse"}},
		{name: "idle-portable", about: "idle-ws on the driver of systems without epoll", clients: 19_000, symbols: 100, each: 1, idle: true, servers: []string{"portable"}},
	}
}

// list returns the symbols: their names make a message of a trade 96 bytes, as
// soon as its seq has four digits, and its frame 98.
func (s *scenario) list() string {
	names := make([]string, s.symbols)
	for i := range names {
		names[i] = fmt.Sprintf("BENCH%03d", i)
	}
	return strings.Join(names, ",")
}

// deliveries is how many ticks per second the steady clients should get.
func (s *scenario) deliveries() float64 {
	return s.rate * float64(s.clients-s.slowClients) * float64(s.each) / float64(s.symbols)
}

// benchArgs returns the arguments of `tapecast bench`, but for the server's.
func (s *scenario) benchArgs(warmup, window time.Duration) []string {
	if s.idle {
		warmup = max(warmup, 6*time.Second) // it gives memory back meanwhile
	}
	each := fmt.Sprint(s.each)
	if s.each == s.symbols && s.symbols > 1 {
		each = "all"
	}
	args := []string{
		"bench", "--json", "--channels", "trades", "--symbols", s.list(), "--each", each,
		"--clients", fmt.Sprint(s.clients), "--warmup", warmup.String(), "--duration", window.String(),
	}
	if s.slow != "" {
		args = append(args, "--slow", s.slow)
	}
	if !s.idle {
		args = append(args, "--expect", fmt.Sprintf("%.0f", s.deliveries()))
	}
	return args
}
