package client

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/coder/websocket"
)

const (
	ackEvery     = time.Second
	leaveGrace   = 2 * time.Second        // for the reply to an unsubscribe
	closeGrace   = 250 * time.Millisecond // for the reply to a close frame
	writeTimeout = 5 * time.Second
)

// socket is a WebSocket connection. The session's goroutine reads; one more
// goroutine, which the session waits for, writes and closes.
type socket struct {
	s       *session
	conn    *websocket.Conn
	raw     io.Closer     // the connection below, to cut a close handshake short
	leaving chan struct{} // closed when a switch was asked for
	wishing chan struct{} // has an item when the client's wish has changed
}

// webSocket subscribes and takes messages until the connection ends.
func (s *session) webSocket() error {
	k := &socket{s: s, leaving: make(chan struct{}), wishing: make(chan struct{}, 1)}
	if err := k.dial(); err != nil {
		return err
	}
	var wg sync.WaitGroup
	wg.Go(k.write)
	defer wg.Wait()
	defer s.cancel(errLeft)
	if err := k.subscribe(); err != nil {
		return err
	}
	s.c.onSocket(sync.OnceFunc(func() { close(k.leaving) }), k.wish)
	return k.read()
}

// wish has the wish sent that the client has now. It never blocks.
func (k *socket) wish() {
	select {
	case k.wishing <- struct{}{}:
	default:
	}
}

func (k *socket) dial() error {
	s := k.s
	h := *s.c.http
	h.Transport = tripper{inner: h.Transport, k: k}
	s.watch.start(0)
	defer s.watch.stop()
	//nolint:bodyclose // the library hands the body over to the connection, or reads and replaces it
	conn, resp, err := websocket.Dial(s.ctx, s.base.JoinPath("v1/stream").String(), &websocket.DialOptions{
		HTTPClient: &h, HTTPHeader: s.c.opt.Header.Clone(),
	})
	if err != nil {
		if resp != nil && resp.StatusCode != http.StatusSwitchingProtocols {
			return refusal(resp)
		}
		return err
	}
	conn.SetReadLimit(maxMessage)
	k.conn = conn
	return nil
}

// tripper watches the connection that a handshake leaves open.
type tripper struct {
	inner http.RoundTripper
	k     *socket
}

// RoundTrip makes the handshake's request.
func (t tripper) RoundTrip(req *http.Request) (*http.Response, error) {
	inner := t.inner
	if inner == nil {
		inner = http.DefaultTransport
	}
	resp, err := inner.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	if body, ok := resp.Body.(io.ReadWriteCloser); ok && resp.StatusCode == http.StatusSwitchingProtocols {
		w := watchedSocket{body, &t.k.s.watch}
		resp.Body, t.k.raw = w, w
	}
	return resp, nil
}

// command is what a client sends on a WebSocket, and to a poll that says since.
type command struct {
	Op         string   `json:"op,omitempty"`
	ID         string   `json:"id,omitempty"`
	Symbols    []string `json:"symbols,omitempty"`
	Channels   []string `json:"channels,omitempty"`
	Resolution string   `json:"resolution,omitempty"`
	Slow       string   `json:"slow,omitempty"`
	MaxRate    int      `json:"max_rate,omitempty"`
	MaxBytes   int      `json:"max_bytes,omitempty"`
	Cursor     string   `json:"cursor,omitempty"`
	Since      Since    `json:"since,omitempty"`
	Start      string   `json:"start,omitempty"`
	End        string   `json:"end,omitempty"`
	Speed      string   `json:"speed,omitempty"`
	TS         int64    `json:"ts,omitempty"` // of an ack: tape time of the newest message taken, µs
}

// wanted returns what the client wants, and from where on.
func (c *Client) wanted() command {
	o, at, w := &c.opt, c.State(), c.ask()
	cmd := command{
		Symbols: o.Symbols, Channels: o.Channels, Resolution: w.resolution,
		Slow: o.Slow, MaxRate: w.rate, MaxBytes: w.bytes, Cursor: at.Cursor, Since: at.Since,
	}
	if at.Cursor == "" {
		cmd.Start, cmd.End, cmd.Speed = o.Start, o.End, o.Speed
	}
	return cmd
}

func (k *socket) subscribe() error {
	cmd := k.s.c.wanted()
	cmd.Op, cmd.ID = "subscribe", subscribeID
	return k.send(cmd)
}

func (k *socket) send(cmd command) error {
	text, err := json.Marshal(cmd)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(k.s.ctx, writeTimeout)
	defer cancel()
	return k.conn.Write(ctx, websocket.MessageText, text)
}

// read takes messages. Reads have no ctx of their own, which would cost more
// than the read: write closes the connection when the session's ends.
func (k *socket) read() error {
	ctx := context.WithoutCancel(k.s.ctx)
	for {
		kind, r, err := k.conn.Reader(ctx)
		if err != nil {
			return err
		}
		if kind != websocket.MessageText {
			return &garbledError{errors.New("a binary frame: messages are text")}
		}
		if k.s.buf, err = readAll(k.s.buf[:0], r, maxMessage); err != nil {
			if errors.Is(err, websocket.ErrMessageTooBig) || errors.Is(err, errTooLong) {
				return &garbledError{err}
			}
			return err
		}
		if err := context.Cause(k.s.ctx); err != nil {
			return err
		}
		if err := k.s.take(k.s.buf); err != nil {
			return err
		}
	}
}

// write acknowledges every second, says a new wish, leaves when asked to and
// closes the connection when the session is over. After a failed write the reader
// finds out by itself.
func (k *socket) write() {
	defer k.close()
	tick := time.NewTicker(ackEvery)
	defer tick.Stop()
	leaving := k.leaving
	acked := int64(0)
	var late <-chan time.Time
	for {
		var err error
		select {
		case <-k.s.ctx.Done():
			return
		case <-tick.C:
			acked, err = k.ack(acked)
		case <-k.wishing:
			w := k.s.c.ask()
			err = k.send(command{Op: "resolution", ID: resolveID, Resolution: w.fineness(), MaxRate: w.rate, MaxBytes: w.bytes})
		case <-leaving:
			leaving, late = nil, time.After(leaveGrace)
			err = k.send(command{Op: "unsubscribe", ID: leaveID, Symbols: k.s.c.opt.Symbols})
		case <-late:
			k.s.cancel(errSwitched)
		}
		if err != nil {
			<-k.s.ctx.Done()
			return
		}
	}
}

// ack tells the node how far this client is, if that is further than it said, and
// returns it.
func (k *socket) ack(acked int64) (int64, error) {
	ts := k.s.c.newest.Load()
	if ts == acked || ts == 0 || k.s.c.opt.NoAck {
		return acked, nil
	}
	return ts, k.send(command{Op: "ack", TS: ts})
}

// close says good-bye, for which a dead node is not waited for.
func (k *socket) close() {
	if errors.Is(context.Cause(k.s.ctx), errDead) {
		k.cut()
	}
	t := time.AfterFunc(closeGrace, k.cut)
	defer t.Stop()
	_ = k.conn.Close(websocket.StatusNormalClosure, "") // it is over either way
}

func (k *socket) cut() {
	if k.raw != nil {
		_ = k.raw.Close() // it is over either way
	}
}
