package server

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/gofiber/fiber/v2"
)

// origins says whose web pages may use the server.
type origins struct {
	all  bool
	list []originPattern
}

// originPattern is scheme, host and port of an origin, in lower case. A host
// that begins with "*." stands for all below it, the port "*" for all.
type originPattern struct{ scheme, host, port string }

// parseOrigins reads the list that an operator gives.
func parseOrigins(list []string) (*origins, error) {
	o := &origins{}
	for _, text := range list {
		if text == "*" {
			o.all = true
			continue
		}
		p, err := parsePattern(text)
		if err != nil {
			return nil, err
		}
		o.list = append(o.list, p)
	}
	return o, nil
}

func parsePattern(text string) (originPattern, error) {
	scheme, rest, ok := strings.Cut(strings.ToLower(text), "://")
	host, port, _ := cutPort(rest)
	if !ok || (scheme != "http" && scheme != "https") || host == "" ||
		strings.ContainsAny(host, "/?#@ ") || strings.Contains(strings.TrimPrefix(host, "*."), "*") {
		return originPattern{}, fmt.Errorf(`origin %q must be like https://example.com, https://*.example.com, http://localhost:* or *`, text)
	}
	return originPattern{scheme: scheme, host: host, port: portOr(port, scheme)}, nil
}

// cutPort splits a host from its port, which may be missing; an IPv6 address
// keeps its brackets.
func cutPort(s string) (host, port string, found bool) {
	i := strings.LastIndexByte(s, ':')
	if i < 0 || i < strings.LastIndexByte(s, ']') {
		return s, "", false
	}
	return s[:i], s[i+1:], true
}

func portOr(port, scheme string) string {
	switch {
	case port != "":
		return port
	case scheme == "https":
		return "443"
	default:
		return "80"
	}
}

func (p originPattern) matches(o originPattern) bool {
	if p.scheme != o.scheme || (p.port != "*" && p.port != o.port) {
		return false
	}
	if below, ok := strings.CutPrefix(p.host, "*."); ok {
		return strings.HasSuffix(o.host, "."+below)
	}
	return p.host == o.host
}

// allow reports whether a page of the origin may use a server that is known to
// it as host.
func (o *origins) allow(origin, host string) bool {
	if o.all {
		return true
	}
	u, err := url.Parse(strings.ToLower(origin))
	if err != nil || u.Host == "" || u.Path != "" {
		return false
	}
	name, port, _ := cutPort(u.Host)
	from := originPattern{scheme: u.Scheme, host: name, port: portOr(port, u.Scheme)}
	ownHost, ownPort, _ := cutPort(strings.ToLower(host))
	if from.host == ownHost && from.port == portOr(ownPort, u.Scheme) {
		return true
	}
	return slices.ContainsFunc(o.list, func(p originPattern) bool { return p.matches(from) })
}

// headers sets what every answer has, and lets pages of other allowed origins
// read answers of the API.
func (s *Server) headers(c *fiber.Ctx) error {
	c.Set(fiber.HeaderXContentTypeOptions, "nosniff")
	if !strings.HasPrefix(c.Path(), "/v1/") {
		return c.Next()
	}
	c.Vary(fiber.HeaderOrigin)
	origin := c.Get(fiber.HeaderOrigin)
	allowed := origin != "" && s.origins.Load().allow(origin, c.Get(fiber.HeaderHost))
	if allowed {
		c.Set(fiber.HeaderAccessControlAllowOrigin, origin)
		c.Set(fiber.HeaderAccessControlExposeHeaders, fiber.HeaderRetryAfter)
	}
	if c.Method() != fiber.MethodOptions {
		return c.Next()
	}
	if !allowed {
		return s.forbidden(origin)
	}
	c.Set(fiber.HeaderAccessControlAllowMethods, "GET, POST")
	c.Set(fiber.HeaderAccessControlAllowHeaders, "Authorization, Content-Type, Last-Event-ID, Cache-Control")
	c.Set(fiber.HeaderAccessControlMaxAge, "600")
	return c.SendStatus(fiber.StatusNoContent)
}

// checkOrigin refuses a WebSocket that a page of another origin opens: browsers
// don't do it for us there. Programs send no origin.
func (s *Server) checkOrigin(c *fiber.Ctx) error {
	origin := c.Get(fiber.HeaderOrigin)
	if origin == "" || s.origins.Load().allow(origin, c.Get(fiber.HeaderHost)) {
		return nil
	}
	return s.forbidden(origin)
}

func (s *Server) forbidden(origin string) error {
	return refuse(fiber.StatusForbidden, "forbidden",
		"pages of origin %q may not use this node; its operator can allow them with --origins %s", origin, origin)
}
