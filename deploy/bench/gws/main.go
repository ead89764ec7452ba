// Command gws is a server on lxzan/gws: its broadcaster encodes a frame once, and
// each connection has a queue of writes and a goroutine that reads.
package main

import (
	"context"
	"net/http"
	"sync"

	"github.com/lxzan/gws"

	"github.com/tapecast/tapecast/deploy/bench/intake"
)

func main() { intake.Main(start) }

func start(ctx context.Context, listen string) (intake.Sink, func(), error) {
	h := &hub{clients: map[string]map[*gws.Conn]struct{}{}}
	upgrader := gws.NewUpgrader(h, &gws.ServerOption{})
	mux := http.NewServeMux()
	mux.HandleFunc("/ws", func(w http.ResponseWriter, r *http.Request) {
		conn, err := upgrader.Upgrade(w, r)
		if err != nil {
			return
		}
		h.add(conn, intake.Symbols(r))
		go conn.ReadLoop()
	})
	end, err := intake.Serve(ctx, listen, mux)
	return h, end, err
}

type hub struct {
	gws.BuiltinEventHandler
	mu      sync.RWMutex
	clients map[string]map[*gws.Conn]struct{}
}

func (h *hub) add(conn *gws.Conn, symbols []string) {
	conn.Session().Store("symbols", symbols)
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, s := range symbols {
		if h.clients[s] == nil {
			h.clients[s] = map[*gws.Conn]struct{}{}
		}
		h.clients[s][conn] = struct{}{}
	}
}

// OnClose implements gws.Event.
func (h *hub) OnClose(conn *gws.Conn, _ error) {
	v, _ := conn.Session().Load("symbols")
	symbols, _ := v.([]string)
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, s := range symbols {
		delete(h.clients[s], conn)
	}
}

// Publish implements intake.Sink.
func (h *hub) Publish(symbol string, msg []byte) error {
	b := gws.NewBroadcaster(gws.OpcodeText, append([]byte(nil), msg...))
	defer func() { _ = b.Close() }()
	h.mu.RLock()
	defer h.mu.RUnlock()
	for conn := range h.clients[symbol] {
		_ = b.Broadcast(conn) // one that is gone leaves by OnClose
	}
	return nil
}

// Flush implements intake.Sink.
func (*hub) Flush() error { return nil }
