package client

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/coder/websocket"
)

// RefusedError is a node's no: an HTTP status that is not a success, a WebSocket
// close code, or an error message about the subscription. Run returns it if
// trying again would not help.
type RefusedError struct {
	Status  int    // HTTP status or close code; 0 of a message
	Code    string // for programs, as unknown_symbol; "" if the node gave none
	Message string // for people

	retryAfter time.Duration
}

// Error says who refused what.
func (e *RefusedError) Error() string {
	s := "the node refused"
	if e.Status != 0 {
		s += fmt.Sprintf(" (%d)", e.Status)
	}
	if e.Code != "" {
		s += " " + e.Code
	}
	if e.Message != "" {
		s += ": " + e.Message
	}
	return s
}

// final reports whether the same request would be refused again.
func (e *RefusedError) final() bool {
	switch {
	case e.Status >= 4000:
		return e.Status < 4100
	case e.Status == http.StatusRequestTimeout, e.Status == http.StatusTooManyRequests:
		return false
	case e.Status == 0:
		return e.Code != "limit"
	default:
		return e.Status < 500
	}
}

// byeError is a bye message that ended a connection.
type byeError struct {
	code, text string
	retry      time.Duration
}

func (e *byeError) Error() string {
	if e.text == "" {
		return "bye: " + e.code
	}
	return "bye: " + e.code + ": " + e.text
}

// handlerError is an error of the caller's own handler.
type handlerError struct{ err error }

func (e *handlerError) Error() string { return e.err.Error() }
func (e *handlerError) Unwrap() error { return e.err }

// garbledError is an answer that is not what the protocol says. What was already
// taken stays taken; the rest is asked for again.
type garbledError struct{ err error }

func (e *garbledError) Error() string { return "garbled: " + e.err.Error() }
func (e *garbledError) Unwrap() error { return e.err }

// The reasons for the end of a connection that need no more words. They are
// compared, never changed.
const (
	errEnd      = reason("the stream has ended")
	errSwitched = reason("another transport or resolution was asked for")
	errDead     = reason("the node sent no byte for two heartbeats")
	errLeft     = reason("the connection is no longer needed")
)

type reason string

func (r reason) Error() string { return string(r) }

// ending is what to do when a connection has ended.
type ending struct {
	stop      bool          // for good: Run returns err
	err       error         // nil with stop: all went well
	now       bool          // reconnect at once
	soon      bool          // the same, but not all clients at the same moment
	elsewhere bool          // at the next node, if there is one
	floor     time.Duration // not before
	told      bool          // a bye said what floor is
}

// judge says what follows from the way in which a connection ended.
func judge(err error) ending {
	var (
		handler *handlerError
		refused *RefusedError
		bye     *byeError
		garbled *garbledError
		closed  websocket.CloseError
	)
	switch {
	case errors.Is(err, errEnd):
		return ending{stop: true}
	case errors.As(err, &handler):
		return ending{stop: true, err: handler.err}
	case errors.Is(err, errSwitched):
		return ending{now: true}
	case errors.As(err, &bye):
		return bye.ending()
	case errors.As(err, &closed):
		return closeEnding(closed)
	case errors.As(err, &refused):
		return ending{stop: refused.final(), err: err, elsewhere: refused.Status >= 500 && refused.Status < 600, floor: refused.retryAfter}
	case errors.As(err, &garbled):
		return ending{err: err}
	default: // a network error, or a node that went silent
		return ending{err: err, elsewhere: true}
	}
}

func (e *byeError) ending() ending {
	floor := min(e.retry, longestRetry)
	switch e.code {
	case "end":
		return ending{stop: true}
	case "bad_request", "unauthorized", "forbidden":
		return ending{stop: true, err: &RefusedError{Code: e.code, Message: e.text}}
	case "draining":
		return ending{err: e, soon: true, elsewhere: true, floor: floor, told: true}
	default:
		return ending{err: e, floor: floor, told: true}
	}
}

func closeEnding(e websocket.CloseError) ending {
	switch {
	case e.Code == websocket.StatusServiceRestart:
		return ending{err: e, soon: true, elsewhere: true}
	case e.Code >= 4000:
		refused := &RefusedError{Status: int(e.Code), Message: e.Reason}
		return ending{stop: refused.final(), err: refused}
	default:
		return ending{err: e, elsewhere: true}
	}
}

const (
	firstBackoff = 100 * time.Millisecond
	soonJitter   = 200 * time.Millisecond
	longestRetry = time.Minute // however long a node says to wait, ask again then
	steady       = time.Second // a connection that lived as long starts the backoff anew
)

// wait returns how long to wait before the next connection: a random time up to
// a bound that doubles with every try, so that clients do not come all at once.
func (e ending) wait(try int, longest time.Duration) time.Duration {
	if e.now {
		return 0
	}
	bound := min(longest, firstBackoff<<min(try, 16))
	if e.soon && try == 0 {
		bound = min(longest, soonJitter)
	}
	return e.floor + rand.N(bound+1)
}

// level returns how much an ending matters to an operator.
func (e ending) level() slog.Level {
	if e.now || e.soon {
		return slog.LevelInfo
	}
	return slog.LevelWarn
}

// pause waits that long, or until ctx is done.
func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
