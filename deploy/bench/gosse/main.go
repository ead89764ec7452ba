// Command gosse is a server of event streams on tmaxmax/go-sse: its provider Joe,
// a topic per symbol.
package main

import (
	"context"
	"net/http"

	"github.com/tmaxmax/go-sse"

	"github.com/tapecast/tapecast/deploy/bench/intake"
)

func main() { intake.Main(start) }

func start(ctx context.Context, listen string) (intake.Sink, func(), error) {
	server := &sse.Server{OnSession: func(w http.ResponseWriter, r *http.Request) ([]string, bool) {
		// Else the headers are sent with the first event, and clients wait for it.
		w.Header().Set("Content-Type", "text/event-stream")
		return intake.Symbols(r), http.NewResponseController(w).Flush() == nil
	}}
	mux := http.NewServeMux()
	mux.Handle("/events", server)
	end, err := intake.Serve(ctx, listen, mux)
	return sink{server}, end, err
}

type sink struct{ server *sse.Server }

// Publish implements intake.Sink.
func (s sink) Publish(symbol string, msg []byte) error {
	m := &sse.Message{}
	m.AppendData(string(msg))
	return s.server.Publish(m, symbol)
}

// Flush implements intake.Sink.
func (sink) Flush() error { return nil }
