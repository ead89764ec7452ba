// Command centrifuge is the engine of Centrifugo in a minimal server: its memory
// broker and its WebSocket handler with JSON, a channel per symbol, no history.
// Its pings are off, because the load generator does not speak its protocol.
package main

import (
	"context"
	"net/http"

	"github.com/centrifugal/centrifuge"

	"github.com/tapecast/tapecast/deploy/bench/intake"
)

func main() { intake.Main(start) }

func start(ctx context.Context, listen string) (intake.Sink, func(), error) {
	node, err := centrifuge.New(centrifuge.Config{})
	if err != nil {
		return nil, nil, err
	}
	node.OnConnecting(func(context.Context, centrifuge.ConnectEvent) (centrifuge.ConnectReply, error) {
		return centrifuge.ConnectReply{Credentials: &centrifuge.Credentials{}}, nil
	})
	node.OnConnect(func(c *centrifuge.Client) {
		c.OnSubscribe(func(_ centrifuge.SubscribeEvent, reply centrifuge.SubscribeCallback) {
			reply(centrifuge.SubscribeReply{}, nil)
		})
	})
	if err := node.Run(); err != nil {
		return nil, nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("/ws", centrifuge.NewWebsocketHandler(node, centrifuge.WebsocketConfig{
		PingPongConfig: centrifuge.PingPongConfig{PingInterval: -1},
	}))
	end, err := intake.Serve(ctx, listen, mux)
	if err != nil {
		return nil, nil, err
	}
	return sink{node}, end, nil
}

type sink struct{ node *centrifuge.Node }

// Publish implements intake.Sink. The node keeps what it is given.
func (s sink) Publish(symbol string, msg []byte) error {
	_, err := s.node.Publish(symbol, append([]byte(nil), msg...))
	return err
}

// Flush implements intake.Sink.
func (sink) Flush() error { return nil }
