package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/tapecast/tapecast/feed"
)

// network connects clients and nodes through pipes, so that a test can run in a
// bubble of testing/synctest, whose time is made up.
type network struct {
	mu    sync.Mutex
	nodes map[string]*listener
}

func (n *network) dial(ctx context.Context, _, addr string) (net.Conn, error) {
	n.mu.Lock()
	l := n.nodes[addr]
	n.mu.Unlock()
	if l == nil {
		return nil, errors.New("connection refused")
	}
	near, far := net.Pipe()
	select {
	case l.conns <- &limited{Conn: far, left: l.budget()}:
		return near, nil
	case <-l.closed:
		return nil, errors.New("connection refused")
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// listener is a node's end. budget says how many bytes a new connection can
// carry to the client before it breaks, 0 for any number.
type listener struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
	budget func() int
}

func (l *listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *listener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

func (l *listener) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1} }

// limited is a connection that breaks after so many bytes.
type limited struct {
	net.Conn
	left int
}

func (c *limited) Write(p []byte) (int, error) {
	if c.left == 0 {
		return c.Conn.Write(p)
	}
	if len(p) < c.left {
		c.left -= len(p)
		return c.Conn.Write(p)
	}
	n, _ := c.Conn.Write(p[:c.left])
	_ = c.Close()
	return n, net.ErrClosed
}

// step is what a node does with one request for a stream or poll. A zero step
// serves the tape.
type step struct {
	status int    // refuse with this HTTP status
	header string // Retry-After
	body   string // send this as the answer's body, or as the refusal's message
	kind   string // the body's content type, if not the right one

	send   []string             // WebSocket: send these messages and not the tape
	close  websocket.StatusCode // then close with this code; 0: stay silent
	reason string
	abort  bool // then cut the connection

	rewind int // begin so many messages before the cursor
}

// node is a scripted server.
type node struct {
	tape    *tape
	symbols string // the answer of /v1/symbols
	start   int    // where a fresh stream begins

	mu       sync.Mutex
	lowest   int    // max_rate below it is refused
	script   []step // one per request, then zero steps
	requests []*http.Request
	commands []command
	served   int // how many messages of the tape went out
}

func newNode(t *tape, script ...step) *node {
	return &node{tape: t, symbols: symbolsJSON, script: script}
}

// serve puts the node on the network under that address, for the test's time.
func (n *node) serve(t *testing.T, on *network, addr string, budget func() int) {
	if budget == nil {
		budget = func() int { return 0 }
	}
	l := &listener{conns: make(chan net.Conn), closed: make(chan struct{}), budget: budget}
	on.mu.Lock()
	if on.nodes == nil {
		on.nodes = map[string]*listener{}
	}
	on.nodes[addr] = l
	on.mu.Unlock()
	server := &http.Server{Handler: n.handler()}
	var wg sync.WaitGroup
	wg.Go(func() { _ = server.Serve(l) })
	t.Cleanup(func() { _ = server.Close(); wg.Wait() })
}

func (n *node) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/v1/symbols", func(w http.ResponseWriter, _ *http.Request) {
		n.mu.Lock()
		defer n.mu.Unlock()
		_, _ = w.Write([]byte(n.symbols))
	})
	mux.HandleFunc("/v1/stream", n.do(n.stream))
	mux.HandleFunc("/v1/events", n.do(n.events))
	mux.HandleFunc("/v1/poll", n.do(n.poll))
	return mux
}

// do takes the next step of the script, and refuses if it says so.
func (n *node) do(serve func(http.ResponseWriter, *http.Request, step)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		n.mu.Lock()
		var s step
		if len(n.script) > 0 {
			s, n.script = n.script[0], n.script[1:]
		}
		n.requests = append(n.requests, r)
		n.mu.Unlock()
		if s.status != 0 {
			if s.header != "" {
				w.Header().Set("Retry-After", s.header)
			}
			w.WriteHeader(s.status)
			_, _ = w.Write([]byte(s.body))
			return
		}
		serve(w, r, s)
	}
}

// place returns where a stream with that cursor begins.
func (n *node) place(cursor string, s step) int {
	at := n.start
	if cursor != "" {
		at, _ = strconv.Atoi(strings.TrimPrefix(cursor, "c"))
	}
	return max(at-s.rewind, 0)
}

// preface returns what a stream begins with.
func (n *node) preface(cursor string, at int) []string {
	all := []string{
		`{"type":"hello","v":1,"node":"n1","ts":1,"tape":"00000000000000aa","heartbeat_ms":15000,"max_symbols":100,"later":{"a":[1]}}`,
		fmt.Sprintf(`{"type":"subscribed","id":"subscribe","symbols":2,"channels":["trades","quotes"],"resolution":"raw","cursor":"c%d"}`, at),
	}
	if cursor == "" {
		all = append(all, n.tape.snapshots(at)...)
	}
	return append(all, `{"type":"news from the future","sym":"???","seq":"x"}`)
}

func (n *node) count() {
	n.mu.Lock()
	n.served++
	n.mu.Unlock()
}

func (n *node) stream(w http.ResponseWriter, r *http.Request, s step) {
	conn, err := websocket.Accept(w, r, nil)
	if err != nil {
		return
	}
	defer conn.CloseNow()
	ctx, cancel := context.WithCancel(r.Context())
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	sub, leave := make(chan command, 1), make(chan struct{}, 1)
	wg.Go(func() { n.commandsOf(ctx, cancel, conn, sub, leave) })
	var cmd command
	select {
	case cmd = <-sub:
	case <-ctx.Done():
		return
	}
	send := func(m string) bool { return conn.Write(ctx, websocket.MessageText, []byte(m)) == nil }
	if s.send != nil || s.close != 0 || s.abort {
		n.scripted(ctx, conn, s, send)
		return
	}
	at := n.place(cmd.Cursor, s)
	for _, m := range n.preface(cmd.Cursor, at) {
		if !send(m) {
			return
		}
	}
	for {
		pace := time.Millisecond
		if at == len(n.tape.entries) {
			pace = time.Hour
		}
		select {
		case <-ctx.Done():
			return
		case <-leave:
			send(fmt.Sprintf(`{"type":"unsubscribed","id":"leave","symbols":0,"channels":[],"cursor":"c%d"}`, at))
		case <-time.After(pace):
			if at < len(n.tape.entries) {
				at++
				n.count()
				if !send(n.tape.entries[at-1].json) || at%7 == 0 && !send(fmt.Sprintf(`{"type":"heartbeat","ts":1,"at":1,"behind_ms":0,"cursor":"c%d"}`, at)) {
					return
				}
			}
		}
	}
}

func (n *node) tooLow(rate int) bool { return rate > 0 && rate < n.lowest }

// resolve replies to a resolution command.
func (n *node) resolve(cmd command) string {
	level := cmd.Resolution
	switch {
	case n.tooLow(cmd.MaxRate):
		return fmt.Sprintf(`{"type":"error","id":%q,"code":"bad_request","message":"max_rate is too low"}`, cmd.ID)
	case cmd.MaxRate+cmd.MaxBytes > 0:
		level = paced
	}
	return fmt.Sprintf(`{"type":"resolution","id":%q,"trades":%q,"quotes":%q,"reason":"asked"}`, cmd.ID, level, level)
}

// ops returns the commands of that name.
func (n *node) ops(op string) []command {
	n.mu.Lock()
	defer n.mu.Unlock()
	var list []command
	for _, c := range n.commands {
		if c.Op == op {
			list = append(list, c)
		}
	}
	return list
}

// commandsOf reads what the client sends until the connection ends.
func (n *node) commandsOf(ctx context.Context, cancel context.CancelFunc, conn *websocket.Conn, sub chan<- command, leave chan<- struct{}) {
	defer cancel()
	for {
		_, b, err := conn.Read(ctx)
		if err != nil {
			return
		}
		var cmd command
		if json.Unmarshal(b, &cmd) != nil {
			return
		}
		n.mu.Lock()
		n.commands = append(n.commands, cmd)
		n.mu.Unlock()
		switch cmd.Op {
		case "resolution":
			_ = conn.Write(ctx, websocket.MessageText, []byte(n.resolve(cmd)))
		case "subscribe":
			if n.tooLow(cmd.MaxRate) {
				_ = conn.Write(ctx, websocket.MessageText, []byte(`{"type":"error","id":"subscribe","code":"bad_request","message":"max_rate is too low"}`))
				continue
			}
			sub <- cmd
		case "unsubscribe":
			leave <- struct{}{}
		}
	}
}

func (n *node) scripted(ctx context.Context, conn *websocket.Conn, s step, send func(string) bool) {
	for _, m := range s.send {
		if !send(m) {
			return
		}
	}
	switch {
	case s.abort:
	case s.close != 0:
		_ = conn.Close(s.close, s.reason)
	default:
		<-ctx.Done()
	}
}

func (n *node) events(w http.ResponseWriter, r *http.Request, s step) {
	if rate, _ := strconv.Atoi(r.URL.Query().Get("max_rate")); n.tooLow(rate) {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	kind := "text/event-stream"
	if s.kind != "" {
		kind = s.kind
	}
	w.Header().Set("Content-Type", kind)
	out := http.NewResponseController(w)
	if s.body != "" {
		_, _ = w.Write([]byte(s.body))
		_ = out.Flush()
		if !s.abort {
			<-r.Context().Done()
		}
		return
	}
	cursor := r.Header.Get("Last-Event-ID")
	at := n.place(cursor, s)
	batch := n.preface(cursor, at)
	for r.Context().Err() == nil {
		if len(batch) > 0 {
			batch = append(batch, fmt.Sprintf(`{"type":"at","cursor":"c%d"}`, at))
			_, _ = fmt.Fprintf(w, "id: c%d\r\ndata: [%s]\n\n", at, strings.Join(batch, ","))
			_ = out.Flush()
		}
		end := min(at+3, len(n.tape.entries))
		batch = raw(n.tape.entries[at:end])
		for range batch {
			n.count()
		}
		at = end
		pause(r.Context(), time.Millisecond)
	}
}

// posted notes the body of a poll.
func (n *node) posted(r *http.Request) command {
	var cmd command
	_ = json.NewDecoder(r.Body).Decode(&cmd)
	n.mu.Lock()
	defer n.mu.Unlock()
	n.commands = append(n.commands, cmd)
	return cmd
}

// has reports whether a client that says since has an entry.
func (s Since) has(e entry) bool {
	seqs := s[e.symbol]
	return e.seq <= [feed.Channels]uint64{feed.Trades: seqs.Trades, feed.Quotes: seqs.Quotes, feed.Statuses: seqs.Statuses}[e.channel]
}

func (n *node) poll(w http.ResponseWriter, r *http.Request, s step) {
	if s.body != "" {
		if r.Method == http.MethodPost {
			n.posted(r)
		}
		_, _ = w.Write([]byte(s.body))
		return
	}
	q := r.URL.Query()
	cursor := q.Get("cursor")
	var since Since
	if r.Method == http.MethodPost {
		cmd := n.posted(r)
		cursor, since = cmd.Cursor, cmd.Since
	}
	at := n.place(cursor, s)
	var batch []string
	if cursor == "" {
		batch = n.tape.snapshots(at)
	}
	end := min(at+5, len(n.tape.entries))
	for end < len(n.tape.entries) && since.has(n.tape.entries[end]) {
		end++ // as a real node's answer, which always reaches the head
	}
	fresh := slices.DeleteFunc(slices.Clone(n.tape.entries[at:end]), func(e entry) bool { return since.has(e) })
	batch = append(batch, raw(fresh)...)
	for range end - at {
		n.count()
	}
	wait, _ := strconv.Atoi(q.Get("wait"))
	if len(batch) == 0 {
		pause(r.Context(), time.Duration(wait)*time.Second)
	}
	_, _ = fmt.Fprintf(w, `{"messages":[%s],"next":"c%d"}`, strings.Join(batch, ","), end)
}
