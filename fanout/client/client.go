package client

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"time"
)

// Client is one subscription that goes on over cuts, nodes and transports. Make
// it with New and start it with Run.
type Client struct {
	opt   Options
	bases []*url.URL
	http  *http.Client
	// ownHTTP says that no one else uses http's connections.
	ownHTTP bool

	mu        sync.Mutex
	running   bool
	transport Transport
	leave     func() // ends the present connection or pause for a switch; never blocks
	resolve   func() // has the present connection send a new wish; never blocks; nil: it can't
	wishes    wishes
	mark      mark
	stats     Stats

	newest atomic.Int64 // tape time of the newest message taken, µs

	// Of the goroutine of Run.
	symbols *Symbols
	msg     Message
}

// Stats say what a client gets now and count what it met so far.
type Stats struct {
	Level Level // how finely it gets data, and why

	Connects   uint64 // connections that brought a message, or an answer to a poll
	Messages   uint64 // given to the handler
	Bytes      uint64 // of JSON in messages of any kind
	Duplicates uint64 // messages dropped because all of their range was there already
	// Doubled counts those duplicates that came after something new of the same
	// symbol and channel on the same connection: no resume explains them.
	Doubled  uint64
	Overlaps uint64 // messages handed on whose range was there in part
	Unknown  uint64 // messages of a type that this client does not know, ignored
	Garbled  uint64 // connections given up because of something unreadable
}

// New returns a client that is not yet running. The error names every option
// that is wrong.
func New(o Options) (*Client, error) {
	bases, err := o.bases()
	if err := errors.Join(err, o.check()); err != nil {
		return nil, fmt.Errorf("client: %w", err)
	}
	o.defaults()
	c := &Client{
		opt: o, bases: bases, transport: o.Transport, mark: newMark(o.Cursor, o.Since), wishes: wishes{now: o.wish()},
	}
	c.http, c.ownHTTP = httpClient(o.HTTPClient)
	return c, nil
}

// httpClient returns what to make requests with, and whether its connections are
// the client's own to close.
func httpClient(given *http.Client) (client *http.Client, own bool) {
	if given != nil {
		h := *given
		h.Timeout = 0 // a stream has no end; silence is noticed otherwise
		return &h, false
	}
	if t, ok := http.DefaultTransport.(*http.Transport); ok {
		return &http.Client{Transport: t.Clone()}, true
	}
	return &http.Client{Transport: http.DefaultTransport}, false
}

// Run connects and hands every message to handle, one after the other, until
// ctx is done or the stream has ended for good (the end of a replay), which
// returns nil; until handle returns an error, which Run returns; or until a
// node refuses in a way that trying again cannot mend, which returns a
// *RefusedError. Everything else, such as a cut or a node that is gone, is
// mended by reconnecting and resuming.
//
// All goroutines that Run starts have ended when it returns. A client can be run
// again and goes on where it was, but only once at a time.
func (c *Client) Run(ctx context.Context, handle func(*Message) error) error {
	if err := c.start(); err != nil {
		return err
	}
	defer c.stop()
	node, try := 0, 0
	for {
		began := time.Now()
		s := &session{c: c, base: c.bases[node], handle: handle}
		err := s.run(ctx)
		e := judge(err)
		if ctx.Err() != nil && (!e.stop || e.err == nil) {
			return nil
		}
		if e.stop && c.revert(e.err) {
			c.opt.Log.WarnContext(ctx, "the node refused the resolution; going on with the one before", "reason", err.Error())
			continue
		}
		if e.stop {
			return e.err
		}
		if s.progress && time.Since(began) >= steady {
			try = 0
		}
		if back := !e.elsewhere || len(c.bases) == 1; back && !e.told {
			e.floor = max(e.floor, s.retry) // as SSE says; it is about the same node only
		}
		wait := e.wait(try, c.opt.MaxBackoff)
		c.opt.Log.Log(ctx, e.level(), "connection ended", "node", s.base.Redacted(),
			"transport", s.transport.String(), "reason", err.Error(), "wait", wait)
		if e.elsewhere {
			node = (node + 1) % len(c.bases)
		}
		if !e.now {
			try++
		}
		c.rest(ctx, wait)
		if ctx.Err() != nil {
			return nil
		}
	}
}

func (c *Client) start() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.running {
		return errors.New("the client runs already; make another one")
	}
	c.running = true
	return nil
}

func (c *Client) stop() {
	if c.ownHTTP {
		c.http.CloseIdleConnections()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.running, c.leave, c.resolve = false, nil, nil
}

// rest waits before the next connection; a switch cuts it short.
func (c *Client) rest(ctx context.Context, d time.Duration) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	c.onLeave(cancel)
	pause(ctx, d)
}

// onLeave says how a switch ends what goes on now, and returns the transport to
// use.
func (c *Client) onLeave(leave func()) Transport {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.leave, c.resolve = leave, nil
	return c.transport
}

// onSocket is onLeave of a connection that can also be told a new wish.
func (c *Client) onSocket(leave, resolve func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.leave, c.resolve = leave, resolve
}

// Switch changes over to another transport, while running or not. The stream
// goes on where it was, without a hole. It does not wait for the change.
func (c *Client) Switch(t Transport) error {
	if t > ShortPoll {
		return fmt.Errorf("transport %d is unknown", t)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.transport == t {
		return nil
	}
	c.transport = t
	if c.leave != nil {
		c.leave()
	}
	return nil
}

// Stats returns what the client gets now, and the counts so far.
func (c *Client) Stats() Stats {
	c.mu.Lock()
	defer c.mu.Unlock()
	st := c.stats
	st.Level = c.wishes.level
	return st
}

// State returns what to put into Options.Cursor and Options.Since to go on after
// the last message for which the handler returned nil.
func (c *Client) State() State {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.mark.state()
}
