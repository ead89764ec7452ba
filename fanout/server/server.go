// Package server serves a hub over HTTP: the native protocol on WebSocket, SSE
// and polls, single questions, health, statistics and the web page. It is the
// only package that knows the web framework. A stream's connection is handed to
// the socket driver once its handshake is over; DESIGN.md tells how.
package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/tapecast/tapecast/fanout"
	"github.com/tapecast/tapecast/fanout/socket"
)

// Server answers HTTP requests about a hub.
type Server struct {
	options Options
	log     *slog.Logger
	app     *fiber.App
	page    *page
	metrics *metrics
	began   time.Time

	engine  atomic.Pointer[engine]
	origins atomic.Pointer[origins]
	streams streams
	polls   atomic.Int64
	drained chan struct{} // closed when the server stops
	stop    sync.Once

	mu    sync.Mutex
	conns map[net.Conn]struct{} // guarded by mu; not yet taken over
}

// engine is what clients are served from.
type engine struct {
	hub    *fanout.Hub
	driver *socket.Driver
	turn   atomic.Uint32
}

// shard returns the next shard to put a client on.
func (e *engine) shard() *fanout.Shard {
	shards := e.hub.Shards()
	return shards[int(e.turn.Add(1))%len(shards)]
}

// Timeouts of requests and answers. They do not bind connections that were
// taken over, nor how long a poll waits.
const (
	readTimeout  = 10 * time.Second
	writeTimeout = 30 * time.Second
	idleTimeout  = 75 * time.Second
)

// New returns a server, not yet serving.
func New(o Options) (*Server, error) {
	if err := o.defaults(); err != nil {
		return nil, err
	}
	s := &Server{
		options: o, log: o.Log, began: time.Now(),
		metrics: newMetrics(o.Registerer),
		drained: make(chan struct{}),
		conns:   map[net.Conn]struct{}{},
	}
	s.streams.limit = o.Limits.Streams
	list, err := parseOrigins(o.Origins)
	if err != nil {
		return nil, err
	}
	s.origins.Store(list)
	if o.Page != nil {
		if s.page, err = loadPage(o.Page); err != nil {
			return nil, fmt.Errorf("server: page: %w", err)
		}
	}
	if o.Hub != nil {
		s.engine.Store(&engine{hub: o.Hub, driver: o.Driver})
	}
	s.app = s.newApp()
	return s, nil
}

func (s *Server) newApp() *fiber.App {
	app := fiber.New(fiber.Config{
		DisableStartupMessage: true,
		Immutable:             true,
		ReadBufferSize:        maxHeaders,
		BodyLimit:             maxBody,
		ReadTimeout:           readTimeout,
		WriteTimeout:          writeTimeout,
		IdleTimeout:           idleTimeout,
		ErrorHandler:          s.fail,
		StreamRequestBody:     false,
		CaseSensitive:         true,
	})
	raw := app.Server()
	raw.KeepHijackedConns = true // the socket driver closes them
	raw.ConnState = s.track
	s.route(app)
	return app
}

// route says what is where. Streams are not registered by Get, which would
// answer HEAD by them too.
func (s *Server) route(app *fiber.App) {
	app.Use(s.observe, s.headers)
	app.Add(fiber.MethodGet, "/v1/stream", s.stream)
	app.Add(fiber.MethodGet, "/v1/events", s.events)
	app.Add(fiber.MethodGet, "/v1/poll", s.poll)
	app.Add(fiber.MethodPost, "/v1/poll", s.poll)
	app.Get("/v1/symbols", s.symbols)
	app.Get("/v1/snapshot", s.snapshot)
	app.Get("/v1/bars", s.bars)
	app.Get("/v1/ticks", s.ticks)
	app.Get("/v1/stats", s.stats)
	app.Get("/healthz", s.healthz)
	app.Get("/readyz", s.readyz)
	if s.page != nil {
		app.Get("/*", s.file)
	}
}

// Use serves from another hub from now on, whose shards the driver must run.
// Clients of the one before are told to come back; its driver may then be
// stopped. This is how a node goes over to a new tape.
func (s *Server) Use(hub *fanout.Hub, driver *socket.Driver) {
	old := s.engine.Swap(&engine{hub: hub, driver: driver})
	if old != nil {
		s.streams.end(old, "new_tape")
	}
}

// ready returns what to serve from, or why that can't be done now.
func (s *Server) ready() (*engine, error) {
	if s.stopping() {
		return nil, refuse(503, "draining", "this node is shutting down; go to another one").after(1)
	}
	e := s.engine.Load()
	if e == nil {
		return nil, refuse(503, "not_ready", "this node is starting; try again in a moment").after(1)
	}
	if !e.hub.Ready() {
		return nil, refuse(503, "not_ready", "this node is reading the tape and has not seen every symbol yet; try again in a moment").after(1)
	}
	return e, nil
}

func (s *Server) stopping() bool {
	select {
	case <-s.drained:
		return true
	default:
		return false
	}
}

// Serve answers requests on the listener until ctx ends. Then it drains: it is
// not ready any more, every client is told to go elsewhere, polls are answered,
// and all connections are closed. That takes less than two seconds; the driver
// must run on until Serve has returned. The listener is closed.
func (s *Server) Serve(ctx context.Context, ln net.Listener) error {
	s.trustLoopback(ln.Addr())
	failed := make(chan error, 1)
	go func() { failed <- s.app.Listener(ln) }()
	select {
	case err := <-failed:
		return fmt.Errorf("server on %s: %w", ln.Addr(), err)
	case <-ctx.Done():
	}
	s.drain()
	err := s.shutdown()
	_ = ln.Close() // also when ctx ended before the framework had begun
	if end := <-failed; end != nil {
		s.log.Debug("the listener has ended", "error", end)
	}
	return err
}

// How long the parts of a drain may take.
const (
	drainStreams = time.Second
	drainAnswers = 500 * time.Millisecond
)

// drain ends every stream and releases every poll.
func (s *Server) drain() {
	s.stop.Do(func() { close(s.drained) })
	empty := s.streams.close()
	t := time.NewTimer(drainStreams)
	defer t.Stop()
	select {
	case <-empty:
		return
	case <-t.C:
		s.log.Warn("clients that take nothing are cut off", "streams", s.streams.abort())
	}
	select {
	case <-empty:
	case <-time.After(drainAnswers):
	}
}

// shutdown lets requests that are being answered end, and closes what is left.
func (s *Server) shutdown() error {
	ctx, cancel := context.WithTimeout(context.Background(), drainAnswers)
	defer cancel()
	err := s.app.ShutdownWithContext(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		err = nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		_ = c.Close()
	}
	return err
}

// retry returns when a client of a draining node is to come back: soon, but not
// all at once.
func retry() time.Duration { return rand.N(500 * time.Millisecond) }
