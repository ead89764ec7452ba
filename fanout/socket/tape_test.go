package socket

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"github.com/tapecast/tapecast/fanout"
	"github.com/tapecast/tapecast/fanout/wire"
	"github.com/tapecast/tapecast/feed"
)

// tape is a hub of one symbol, fed by hand.
type tape struct {
	t      testing.TB
	tls    bool // its connections have TLS
	hub    *fanout.Hub
	offset int64
	seq    uint64
	ts     int64
}

func newTape(t testing.TB) *tape {
	t.Helper()
	hub, err := fanout.New(fanout.Options{Encoder: wire.JSON{}, From: feed.Position{0}})
	if err != nil {
		t.Fatal(err)
	}
	f := &tape{t: t, hub: hub, ts: time.Now().UnixNano()}
	f.ingest(
		fanout.Record{Record: feed.Record{Kind: feed.KindClock, Clock: feed.Clock{TS: f.ts, Tape: 7, Symbols: 1}}},
		fanout.Record{Symbol: "AAPL", Record: feed.Record{Kind: feed.KindKeyframe, Keyframe: &feed.Keyframe{
			TS: f.ts, Tape: 7, Instrument: feed.Instrument{Symbol: "AAPL", Name: "Apple", Class: feed.Stock, Tick: 1, Lot: 1, Decimals: 2},
		}}},
	)
	if !hub.Ready() {
		t.Fatal("the hub is not ready")
	}
	return f
}

func (f *tape) ingest(records ...fanout.Record) {
	f.t.Helper()
	for i := range records {
		records[i].Offset = f.offset
		f.offset++
	}
	if err := f.hub.Ingest(&fanout.Batch{Records: records, Next: f.offset, End: f.offset}); err != nil {
		f.t.Fatal(err)
	}
	f.hub.Publish()
}

// trades writes n trades in one batch.
func (f *tape) trades(n int) {
	f.t.Helper()
	records := make([]fanout.Record, n)
	for i := range records {
		f.seq++
		f.ts += int64(100 * time.Microsecond)
		records[i] = fanout.Record{Symbol: "AAPL", Record: feed.Record{Kind: feed.KindTrade, Tick: feed.Tick{
			Kind: feed.KindTrade, Seq: f.seq, TS: f.ts, Price: 100, Size: 1,
		}}}
	}
	f.ingest(records...)
}

// viewer is a session that watches the symbol and collects what it is told.
type viewer struct {
	hub     *fanout.Hub
	texts   chan string
	started chan *fanout.Subscriber
	ended   chan struct{}
}

func newViewer(hub *fanout.Hub) *viewer {
	return &viewer{hub: hub, texts: make(chan string, 1000), started: make(chan *fanout.Subscriber, 1), ended: make(chan struct{})}
}

func (v *viewer) Start(c *fanout.Subscriber) {
	c.Subscribe(&fanout.Request{Symbols: v.hub.Directory().Symbols, Set: fanout.Both})
	v.started <- c
}

func (v *viewer) Text(c *fanout.Subscriber, msg []byte) func() {
	s := string(msg)
	return func() {
		v.texts <- s
		c.Send(func(dst []byte, _ string) []byte { return append(dst, `{"type":"echo"}`...) })
	}
}

func (v *viewer) End() { close(v.ended) }

// pair returns both ends of a loopback connection.
func pair(t testing.TB) (client, server *net.TCPConn) {
	t.Helper()
	ln, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	out, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	in, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	client, ok := out.(*net.TCPConn)
	server, ok2 := in.(*net.TCPConn)
	if !ok || !ok2 {
		t.Fatal("no TCP")
	}
	t.Cleanup(func() { client.Close() })
	if err := client.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return client, server
}

// way is how connections are driven, and whether they have TLS.
type way struct {
	Options
	tls  bool
	name string
}

// ways are all that there are.
func ways() []way {
	list := []way{
		{name: "portable", Options: Options{Portable: true}},
		{name: "portable-tls", Options: Options{Portable: true}, tls: true},
	}
	if hasEpoll {
		list = append(list, way{name: "epoll"}, way{name: "epoll-tls", tls: true})
	}
	return list
}

// eachDriver runs a test in each way that there is.
func eachDriver(t *testing.T, f func(t *testing.T, o way)) {
	t.Helper()
	for _, o := range ways() {
		t.Run(o.name, func(t *testing.T) { f(t, o) })
	}
}

// newDriver makes a driver for a tape.
func newDriver(t testing.TB, f *tape, o way) *Driver {
	t.Helper()
	d, err := New(o.Options)
	if err != nil {
		t.Fatal(err)
	}
	f.tls = o.tls
	return d
}

// look lets a shard that is driven by hand see what has happened to its sockets,
// as run does between two passes. The portable driver's goroutines tell by
// themselves.
func look(t *testing.T, d *Driver, s *fanout.Shard) {
	t.Helper()
	l, err := d.loopOf(s)
	if err != nil {
		t.Fatal(err)
	}
	if l, ok := l.(interface{ turn() }); ok {
		l.turn()
	}
}

// start runs a driver until the test ends.
func start(t *testing.T, f *tape, o way) *Driver {
	t.Helper()
	d := newDriver(t, f, o)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- d.Run(ctx, f.hub.Shards()) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return d
}

// connect gives a new connection to the driver.
func connect(t *testing.T, d *Driver, f *tape, form fanout.Form, early []byte) (*peer, *viewer) {
	t.Helper()
	client, server := ends(t, f.tls)
	v := newViewer(f.hub)
	if err := d.Take(server, early, f.hub.Shards()[0], form, v); err != nil {
		t.Fatal(err)
	}
	return client, v
}

// got is a message that a client got, as far as the tests look at it.
type got struct {
	Type       string
	First, Seq uint64
	Code       string
}

// frames reads a server's frames.
type frames struct {
	t testing.TB
	r *bufio.Reader
}

func newFrames(t testing.TB, r io.Reader) *frames { return &frames{t, bufio.NewReaderSize(r, 512)} }

// next returns the next frame, which must be whole and unmasked.
func (f *frames) next() (op byte, payload []byte, err error) {
	var head [10]byte
	if _, err := io.ReadFull(f.r, head[:2]); err != nil {
		return 0, nil, err
	}
	n := uint64(head[1])
	switch n {
	case 126:
		_, err = io.ReadFull(f.r, head[2:4])
		n = uint64(binary.BigEndian.Uint16(head[2:]))
	case 127:
		_, err = io.ReadFull(f.r, head[2:10])
		n = binary.BigEndian.Uint64(head[2:])
	}
	if err != nil {
		return 0, nil, err
	}
	if head[0]&0xf0 != 0x80 || n > 1<<20 {
		f.t.Fatalf("frame header % x", head[:2])
	}
	payload = make([]byte, n)
	_, err = io.ReadFull(f.r, payload)
	return head[0] & 0x0f, payload, err
}

// message returns the next text message.
func (f *frames) message() got {
	f.t.Helper()
	op, payload, err := f.next()
	if err != nil || op != opText {
		f.t.Fatalf("op %x %.60q: %v, want a message", op, payload, err)
	}
	var m got
	if err := json.Unmarshal(payload, &m); err != nil {
		f.t.Fatalf("%q: %v", payload, err)
	}
	return m
}

// until returns the next message of a type.
func (f *frames) until(kind string) got {
	f.t.Helper()
	for {
		if m := f.message(); m.Type == kind {
			return m
		}
	}
}

// untilClose returns the code of the close frame, and checks that nothing follows.
func (f *frames) untilClose() uint16 {
	f.t.Helper()
	for {
		op, payload, err := f.next()
		switch {
		case err != nil:
			f.t.Fatalf("%v before a close frame", err)
		case op == opClose && len(payload) < 2:
			f.t.Fatalf("a close frame with % x", payload)
		case op == opClose:
			if _, _, err := f.next(); !errors.Is(err, io.EOF) {
				f.t.Errorf("after the close frame: %v, want the end", err)
			}
			return binary.BigEndian.Uint16(payload)
		}
	}
}

// end checks that the next frame is a close frame with that code, and that
// nothing follows.
func (f *frames) end(code uint16) {
	f.t.Helper()
	op, payload, err := f.next()
	if err != nil || op != opClose || len(payload) < 2 || binary.BigEndian.Uint16(payload) != code {
		f.t.Fatalf("op %x % x: %v, want a close frame with %d", op, payload, err, code)
	}
	if _, _, err := f.next(); !errors.Is(err, io.EOF) {
		f.t.Fatalf("after the close frame: %v, want the end", err)
	}
}
