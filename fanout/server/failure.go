package server

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"
)

// failure is a refusal, as a client gets to see it.
type failure struct {
	status  int    // of HTTP
	code    string // for programs
	message string // a sentence for a person
	symbols []string
	retry   int // seconds after which to try again; 0: says nothing
}

// Error implements error.
func (f *failure) Error() string { return f.code + ": " + f.message }

// after adds when to try again, in seconds.
func (f *failure) after(seconds int) *failure {
	f.retry = seconds
	return f
}

func refuse(status int, code, format string, args ...any) *failure {
	return &failure{status: status, code: code, message: fmt.Sprintf(format, args...)}
}

// badRequest refuses a request whose words are wrong.
func badRequest(format string, args ...any) *failure {
	return refuse(fiber.StatusBadRequest, "bad_request", format, args...)
}

// unsupported refuses what the protocol has and this version has not.
func unsupported(format string, args ...any) *failure {
	return refuse(fiber.StatusBadRequest, "unsupported", format, args...)
}

// understand returns what a client gets to see of an error.
func understand(err error) *failure {
	var (
		f     *failure
		web   *fiber.Error
		small *fasthttp.ErrSmallBuffer
	)
	switch {
	case errors.As(err, &f):
		return f
	case errors.As(err, &small):
		return refuse(fiber.StatusRequestHeaderFieldsTooLarge, "too_large", "the request's headers are longer than %d bytes; name fewer symbols, or use symbols=* or POST", maxHeaders)
	case errors.As(err, &web):
		return ofFramework(web)
	default:
		return refuse(fiber.StatusInternalServerError, "internal", "something went wrong here; the node's log says what")
	}
}

func ofFramework(e *fiber.Error) *failure {
	switch e.Code {
	case fiber.StatusNotFound:
		return refuse(e.Code, "not_found", "there is nothing here; the API is under /v1")
	case fiber.StatusMethodNotAllowed:
		return refuse(e.Code, "method_not_allowed", "this address does not take that method")
	case fiber.StatusUpgradeRequired:
		return refuse(e.Code, "upgrade_required", "this is a WebSocket: connect with a WebSocket client, or use /v1/events or /v1/poll")
	case fiber.StatusRequestEntityTooLarge:
		return refuse(e.Code, "too_large", "the body is longer than %d bytes", maxBody)
	case fiber.StatusRequestHeaderFieldsTooLarge:
		return refuse(e.Code, "too_large", "the request's headers are longer than %d bytes; name fewer symbols, or use symbols=* or POST", maxHeaders)
	case fiber.StatusInternalServerError:
		return refuse(e.Code, "internal", "something went wrong here; the node's log says what")
	case fiber.StatusRequestTimeout:
		return refuse(e.Code, "timeout", "the request did not come in time")
	default:
		return refuse(e.Code, "bad_request", "%s", e.Message)
	}
}

// fail answers a request with an error.
func (s *Server) fail(c *fiber.Ctx, err error) error {
	f := understand(err)
	if f.code == "internal" && !errors.Is(err, fiber.ErrInternalServerError) {
		s.log.Error("a request failed", "path", c.Path(), "error", err)
	}
	if f.retry > 0 {
		c.Set(fiber.HeaderRetryAfter, strconv.Itoa(f.retry))
	}
	c.Set(fiber.HeaderCacheControl, "no-store")
	body := struct {
		Code    string   `json:"code"`
		Message string   `json:"message"`
		Symbols []string `json:"symbols,omitempty"`
	}{f.code, f.message, f.symbols}
	return c.Status(f.status).JSON(fiber.Map{"error": body})
}
