package server

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tapecast/tapecast/fanout"
	"github.com/tapecast/tapecast/fanout/socket"
)

// Options says what a server is to be.
type Options struct {
	// Hub and Driver are what clients are served from; the driver must run the
	// hub's shards. Both may be nil: until Use the server says that it is not
	// ready.
	Hub    *fanout.Hub
	Driver *socket.Driver
	// Node is the name that hello messages and statistics give; the host's name
	// by default.
	Node string
	// Origins are the web origins, besides the server's own, whose pages may use
	// it: "https://example.com", "https://*.example.com", "http://localhost:*",
	// or "*" for all. A server on a loopback address allows localhost and
	// 127.0.0.1 with any port besides.
	Origins []string
	Limits  Limits
	// Page is served at /, its index.html first; nil: there is none.
	Page fs.FS
	Log  *slog.Logger
	// Registerer takes the server's metrics, and Gatherer has all of the process:
	// /metrics and /v1/stats read it. Both may be nil.
	Registerer prometheus.Registerer
	Gatherer   prometheus.Gatherer
}

// Limits bounds what clients can take. Zero fields have defaults.
type Limits struct {
	Symbols int // of one client at once; 1,000
	Streams int // WebSocket and SSE connections at once; 50,000
	Polls   int // that wait at once; 2,000
}

// Bounds that nobody has needed to change yet.
const (
	maxHeaders   = 16 << 10 // bytes of a request's line and headers
	maxQuery     = 12 << 10 // bytes of a query
	maxBody      = 64 << 10 // bytes of a request's body
	maxListed    = 100      // unknown symbols that an error lists
	maxID        = 128      // bytes of a command's id
	maxWait      = 25       // seconds that a poll may wait
	maxMessages  = 1000     // of a poll
	defaultCount = 500      // bars or ticks of an answer
	maxCount     = 5000     // bars or ticks of an answer
)

func (o *Options) defaults() error {
	if (o.Hub == nil) != (o.Driver == nil) {
		return errors.New("server: Hub and Driver belong together: give both, or none until Use")
	}
	for name, n := range map[string]*int{"Symbols": &o.Limits.Symbols, "Streams": &o.Limits.Streams, "Polls": &o.Limits.Polls} {
		if *n < 0 {
			return fmt.Errorf("server: Limits.%s is %d, must not be negative", name, *n)
		}
	}
	if o.Limits.Symbols == 0 {
		o.Limits.Symbols = 1000
	}
	if o.Limits.Streams == 0 {
		o.Limits.Streams = 50_000
	}
	if o.Limits.Polls == 0 {
		o.Limits.Polls = 2000
	}
	if o.Node == "" {
		o.Node, _ = os.Hostname() // "" will do if the host does not know
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return nil
}
