// Command gorilla is the server that most tutorials end with: gorilla/websocket,
// two goroutines and a channel per client, a map from symbol to clients. A client
// whose channel is full is closed.
package main

import (
	"context"
	"net/http"
	"sync"

	"github.com/gorilla/websocket"

	"github.com/tapecast/tapecast/deploy/bench/intake"
)

func main() { intake.Main(start) }

func start(ctx context.Context, listen string) (intake.Sink, func(), error) {
	h := &hub{
		clients:  map[string]map[*client]struct{}{},
		upgrader: websocket.Upgrader{ReadBufferSize: 1024, WriteBufferSize: 1024},
	}
	mux := http.NewServeMux()
	mux.Handle("/ws", h)
	end, err := intake.Serve(ctx, listen, mux)
	return h, end, err
}

type hub struct {
	upgrader websocket.Upgrader
	mu       sync.RWMutex
	clients  map[string]map[*client]struct{}
}

type client struct {
	conn *websocket.Conn
	send chan *websocket.PreparedMessage
	end  sync.Once
}

func (h *hub) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	conn, err := h.upgrader.Upgrade(w, r, nil)
	if err != nil {
		return
	}
	c := &client{conn: conn, send: make(chan *websocket.PreparedMessage, 256)}
	symbols := intake.Symbols(r)
	h.mu.Lock()
	for _, s := range symbols {
		if h.clients[s] == nil {
			h.clients[s] = map[*client]struct{}{}
		}
		h.clients[s][c] = struct{}{}
	}
	h.mu.Unlock()
	go c.write()
	for {
		if _, _, err := conn.NextReader(); err != nil {
			break
		}
	}
	h.mu.Lock()
	for _, s := range symbols {
		delete(h.clients[s], c)
	}
	h.mu.Unlock()
	close(c.send)
	c.close()
}

func (c *client) write() {
	for msg := range c.send {
		if c.conn.WritePreparedMessage(msg) != nil {
			c.close()
			return
		}
	}
}

func (c *client) close() { c.end.Do(func() { _ = c.conn.Close() }) }

// Publish implements intake.Sink.
func (h *hub) Publish(symbol string, msg []byte) error {
	m, err := websocket.NewPreparedMessage(websocket.TextMessage, append([]byte(nil), msg...))
	if err != nil {
		return err
	}
	h.mu.RLock()
	defer h.mu.RUnlock()
	for c := range h.clients[symbol] {
		select {
		case c.send <- m:
		default:
			c.close()
		}
	}
	return nil
}

// Flush implements intake.Sink.
func (*hub) Flush() error { return nil }
