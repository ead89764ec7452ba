package server

import (
	"runtime/debug"
	"strconv"
	"strings"

	"github.com/gofiber/fiber/v2"
	"github.com/prometheus/client_golang/prometheus"
)

// metrics are the server's own counters; those of clients are the hub's.
type metrics struct {
	requests *prometheus.CounterVec
}

func newMetrics(reg prometheus.Registerer) *metrics {
	m := &metrics{requests: prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: "tapecast", Subsystem: "server", Name: "requests_total", Help: "Requests by route and status of the answer.",
	}, []string{"route", "status"})}
	if reg != nil {
		reg.MustRegister(m.requests)
	}
	return m
}

// observe counts requests, and turns a panic into a failed request. Addresses
// that there are not share one label.
func (s *Server) observe(c *fiber.Ctx) error {
	err := s.guard(c)
	code := c.Response().StatusCode()
	if err != nil {
		code = understand(err).status
	}
	route := "page"
	if path := c.Route().Path; strings.HasPrefix(path, "/v1/") || strings.HasSuffix(path, "z") {
		route = path
	}
	s.metrics.requests.WithLabelValues(strings.Clone(route), strconv.Itoa(code)).Inc()
	return err
}

func (s *Server) guard(c *fiber.Ctx) (err error) {
	defer func() {
		if r := recover(); r != nil {
			s.log.Error("a request made the server panic", "path", c.Path(), "panic", r, "stack", string(debug.Stack()))
			err = fiber.ErrInternalServerError
		}
	}()
	return c.Next()
}
