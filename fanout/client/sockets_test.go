package client

import (
	"context"
	"errors"
	"net/http/httptest"
	"sync"
	"testing"
	"time"
)

// TestOverRealSockets follows two nodes over TCP on all transports. Now and then
// all connections that are not WebSockets break.
func TestOverRealSockets(t *testing.T) {
	for _, tr := range transports() {
		t.Run(tr.String(), func(t *testing.T) {
			t.Parallel()
			tape := newTape(400)
			var servers []*httptest.Server
			for range 2 {
				s := httptest.NewServer(newNode(tape).handler())
				defer s.Close()
				servers = append(servers, s)
			}
			c, err := New(Options{
				Base: servers[0].URL, Bases: []string{servers[1].URL}, Transport: tr, Symbols: []string{"AAPL", "BTCUSDT"},
				PollInterval: time.Millisecond, MaxBackoff: 20 * time.Millisecond,
			})
			if err != nil {
				t.Fatal(err)
			}
			r := &rig{Client: c, t: t}
			breaks := make(chan struct{}, 1)
			var wg sync.WaitGroup
			defer wg.Wait()
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			wg.Go(func() {
				for {
					select {
					case <-breaks:
						servers[0].CloseClientConnections()
						servers[1].CloseClientConnections()
					case <-ctx.Done():
						return
					}
				}
			})
			err = c.Run(ctx, func(m *Message) error {
				if len(r.got)%90 == 60 {
					select {
					case breaks <- struct{}{}:
					default:
					}
				}
				if err := r.handle(m); err != nil || tape.reached(&r.tiling) {
					return errDone
				}
				return nil
			})
			if !errors.Is(err, errDone) {
				t.Fatalf("Run: %v, %d messages, stats %+v", err, len(r.got), c.Stats())
			}
			r.check(tape)
		})
	}
}
