//go:build linux

package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// server is something that is measured.
type server struct {
	name   string
	what   string   // for the report
	node   bool     // it is Tapecast
	args   []string // of Tapecast
	module string   // folder of a peer's go.mod
	scheme string   // of its address
	path   string   // behind host and port
	hello  []string // sent after the handshake
}

// servers returns all there are. Versions are those of their go.mod.
func servers() []server {
	return []server{
		{name: "floor", what: "a bare loop of send(2) in C", scheme: "tcp", hello: []string{`{syms}\n`}},
		{name: "tapecast", what: "Tapecast", node: true},
		{name: "immediate", what: "Tapecast with -cadence -1ns: it never rests to write more at once", node: true, args: []string{"-cadence", "-1ns"}},
		{name: "portable", what: "Tapecast with -portable: the driver of systems without epoll", node: true, args: []string{"-portable"}},
		{name: "nats", module: "nats", what: "nats-server with its WebSocket listener", scheme: "ws", path: "/", hello: []string{`CONNECT {"verbose":false}\r\n`, `SUB {sym} {n}\r\n`}},
		{name: "centrifuge", module: "centrifuge", what: "centrifuge, the engine of Centrifugo", scheme: "ws", path: "/ws", hello: []string{`{"connect":{},"id":1}`, `{"subscribe":{"channel":"{sym}"},"id":{n}}`}},
		{name: "gorilla", module: "gorilla", what: "gorilla/websocket, goroutines and a channel per client", scheme: "ws", path: "/ws?symbols={syms}"},
		{name: "gws", module: "gws", what: "lxzan/gws with its broadcaster", scheme: "ws", path: "/ws?symbols={syms}"},
		{name: "gosse", module: "gosse", what: "tmaxmax/go-sse", scheme: "http", path: "/events?symbols={syms}"},
	}
}

func serverNames() (names []string) {
	for _, s := range servers() {
		names = append(names, s.name)
	}
	return names
}

func serverOf(name string) server {
	all := servers()
	return all[slices.IndexFunc(all, func(s server) bool { return s.name == name })]
}

// command returns what starts the server, without pinning.
func (c *config) command(s *scenario, of server, ports ports) []string {
	bin := filepath.Join(c.bin, of.name)
	switch {
	case of.name == "floor":
		return []string{bin, fmt.Sprint(ports.clients), fmt.Sprint(ports.intake), fmt.Sprint(s.gather)}
	case of.node:
		args := []string{filepath.Join(c.bin, "node"), "-listen", ports.address(ports.clients), "-intake", ports.address(ports.intake)}
		return append(append(args, of.args...), strings.Fields(c.nodeArgs)...)
	default:
		return []string{bin, "-listen", ports.address(ports.clients), "-intake", ports.address(ports.intake)}
	}
}

// target returns the arguments of `tapecast bench` that name the server.
func (of *server) target(s *scenario, ports ports) []string {
	address := ports.address(ports.clients)
	if of.node {
		args := []string{"--url", "http://" + address}
		if s.sse {
			args = append(args, "--transport", "sse")
		}
		return args
	}
	args := []string{"--peer-url", of.scheme + "://" + address + of.path}
	for _, text := range of.hello {
		args = append(args, "--peer-subscribe", text)
	}
	return args
}

// build builds all that the plan needs, into bin.
func build(ctx context.Context, bin string, plan []scenario) error {
	if err := os.MkdirAll(bin, 0o755); err != nil {
		return err
	}
	steps := [][]string{
		{"go", "build", "-o", filepath.Join(bin, "tapecast"), "./cmd/tapecast"},
		{"go", "build", "-o", filepath.Join(bin, "publish"), "./deploy/bench/publish"},
		{"go", "build", "-o", filepath.Join(bin, "node"), "./deploy/bench/tapecast"},
	}
	for _, of := range servers() {
		if !slices.ContainsFunc(plan, func(s scenario) bool { return slices.Contains(s.servers, of.name) }) {
			continue
		}
		if of.name == "floor" {
			steps = append(steps, []string{"make", "-s", "-C", "deploy/bench/floor", "OUT=" + filepath.Join(bin, "floor")})
		} else if of.module != "" {
			steps = append(steps, []string{"go", "-C", "deploy/bench/" + of.module, "build", "-o", filepath.Join(bin, of.name), "."})
		}
	}
	for _, step := range steps {
		fmt.Fprintln(os.Stderr, strings.Join(step, " "))
		cmd := exec.CommandContext(ctx, step[0], step[1:]...)
		cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
		if err := cmd.Run(); err != nil {
			return fmt.Errorf("%s: %w (run this from the repository's folder)", strings.Join(step, " "), err)
		}
	}
	return nil
}
