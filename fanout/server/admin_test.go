package server_test

import (
	"context"
	"net"
	"strings"
	"testing"
)

func TestAdmin(t *testing.T) {
	n := startNode(t, nil)
	ln, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- n.server.ServeAdmin(ctx, ln) }()
	admin := &node{tape: n.tape, t: t, url: "http://" + ln.Addr().String()}
	for path, want := range map[string]string{
		"/metrics":             "tapecast_hub_ticks_total",
		"/debug/pprof/cmdline": ".test",
		"/debug/pprof/":        "goroutine",
		"/healthz":             "ok",
		"/readyz":              "ready",
	} {
		resp := admin.do("GET", path, "")
		if resp.status != 200 || !strings.Contains(resp.text, want) {
			t.Errorf("%s: %d %.200s, want %s", path, resp.status, resp.text, want)
		}
	}
	n.stop()
	if resp := admin.do("GET", "/readyz", ""); resp.status != 503 {
		t.Errorf("/readyz of a stopped server: %d", resp.status)
	}
	cancel()
	if err := <-served; err != nil {
		t.Error(err)
	}
}
