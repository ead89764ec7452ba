package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/tapecast/tapecast/fanout/bench"
)

func TestBenchFlags(t *testing.T) {
	c := benchConfig{each: "all", slow: "1000@2kB", reconnect: "50@500ms"}
	c.options.PeerURL, c.options.URL = "ws://x", "http://default"
	c.options.PeerSubscribe = []string{`SUB {sym}\r\n`}
	if err := c.parse(); err != nil {
		t.Fatal(err)
	}
	o := c.options
	if o.Each != bench.All || o.Slow != 1000 || o.SlowRate != 2000 || o.Reconnecting != 50 || o.ReconnectEvery != 500*time.Millisecond || o.URL != "" || o.PeerSubscribe[0] != "SUB {sym}\r\n" {
		t.Errorf("%+v", o)
	}
	for words, c := range map[string]benchConfig{
		"--each":      {each: "none"},
		"--slow":      {each: "1", slow: "100"},
		"no number":   {each: "1", slow: "0@2kB"},
		"--reconnect": {each: "1", reconnect: "5@soon"},
	} {
		if err := c.parse(); err == nil || !strings.Contains(err.Error(), words) {
			t.Errorf("%q: %v", words, err)
		}
	}
}

func TestParseBytes(t *testing.T) {
	for text, want := range map[string]int{"500": 500, "500B": 500, "2kB": 2000, "2k": 2000, "1MB": 1_000_000, "0": 0, "-1kB": 0, "2GB": 0, "99999MB": 0, "": 0} {
		if got, err := parseBytes(text); got != want || (err == nil) != (want > 0) {
			t.Errorf("%q: %d %v", text, got, err)
		}
	}
}

// A line for each phase and every fifth call, so that a log stays short.
func TestBenchProgress(t *testing.T) {
	var out bytes.Buffer
	tell, end := progressTo(&out)
	for range 10 {
		tell(bench.Progress{Phase: "connecting", Ready: 1, Clients: 5})
	}
	tell(bench.Progress{Phase: "measuring", Ready: 5, Clients: 5, Left: 3 * time.Second, Rate: 1000, Lost: 2})
	end()
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 4 || lines[0] != "connecting: 1 of 5 clients" || lines[3] != "measuring: 5 of 5 clients, 3 s left, 1000 ticks/s, 2 lost" {
		t.Errorf("%q", lines)
	}
}
