package socket

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"testing"
	"time"

	"github.com/tapecast/tapecast/fanout"
)

// crowd connects a number of clients, which read all and say nothing, and keeps
// them until its input ends. It runs in a process of its own, so that what
// clients cost is not counted.
func crowd(what string) error {
	var (
		address string
		n       int
		secure  bool
	)
	if _, err := fmt.Sscan(what, &address, &n, &secure); err != nil {
		return err
	}
	for i := range n {
		c, err := (&net.Dialer{}).DialContext(context.Background(), "tcp", address)
		if err != nil {
			return fmt.Errorf("connection %d: %w", i, err)
		}
		if secure {
			c = tls.Client(c, &tls.Config{InsecureSkipVerify: true}) // its server is the test
		}
		go func() {
			_, _ = io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{c}, make([]byte, 4<<10))
		}()
	}
	_, err := io.Copy(io.Discard, os.Stdin)
	return err
}

// startCrowd connects n clients of another process, and gives each to take.
func startCrowd(t testing.TB, n int, secure bool, take func(net.Conn)) {
	t.Helper()
	ln, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), os.Args[0]) // ended by Cleanup
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%s %d %t", crowdEnv, ln.Addr(), n, secure))
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		if err := cmd.Wait(); err != nil {
			t.Errorf("the crowd: %v", err)
		}
	})
	if tcp, ok := ln.(*net.TCPListener); ok {
		_ = tcp.SetDeadline(time.Now().Add(time.Minute))
	}
	for range n {
		c, err := ln.Accept()
		if err != nil {
			t.Fatal(err)
		}
		if secure {
			over := tls.Server(c, secret())
			if err := over.HandshakeContext(t.Context()); err != nil {
				t.Fatal(err)
			}
			c = over
		}
		take(c)
	}
}

// quiet is a session that watches and says nothing. It costs nothing besides.
type quiet struct{ hub *fanout.Hub }

func (q quiet) Start(c *fanout.Subscriber) {
	c.Subscribe(&fanout.Request{Symbols: q.hub.Directory().Symbols, Set: fanout.Both})
}
func (quiet) Text(*fanout.Subscriber, []byte) func() { return nil }
func (quiet) End()                                   {}

// nowhere is a socket that takes everything.
type nowhere struct{ shard *fanout.Shard }

func (*nowhere) Write(p []byte) (int, error) { return len(p), nil }
func (*nowhere) Close(bool)                  {}

// memory is what a process has: resident, and in use on the heap and stacks.
type memory struct{ rss, heap, stack int64 }

func measure(t *testing.T) memory {
	t.Helper()
	runtime.GC()
	debug.FreeOSMemory()
	b, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		t.Skip("resident memory can't be asked here: ", err)
	}
	var size, resident int64
	if _, err := fmt.Sscan(string(b), &size, &resident); err != nil {
		t.Fatal(err)
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return memory{rss: resident * int64(os.Getpagesize()), heap: int64(m.HeapInuse), stack: int64(m.StackInuse)}
}

// started waits until the shard has so many members.
func started(t testing.TB, s *fanout.Shard, n int) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; runtime.Gosched() {
		got := make(chan int, 1)
		s.Post(func() { got <- s.Members() })
		if wait(t, got, "a pass") == n {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("not all have started")
		}
	}
}

// TestIdleMemory tells what an idle connection costs: subscriber and driver
// together, and the subscriber alone. TAPECAST_FULL=1 takes 19,000.
func TestIdleMemory(t *testing.T) {
	n := 3_000
	if full() {
		n = 19_000
	}
	perConn := func(t *testing.T, n int, o way, fill func(d *Driver, f *tape)) memory {
		t.Helper()
		f := newTape(t)
		d := start(t, f, o)
		started(t, f.hub.Shards()[0], 0)
		before := measure(t)
		fill(d, f)
		started(t, f.hub.Shards()[0], n)
		after := measure(t)
		return memory{(after.rss - before.rss) / int64(n), (after.heap - before.heap) / int64(n), (after.stack - before.stack) / int64(n)}
	}
	bare := perConn(t, n, way{}, func(_ *Driver, f *tape) {
		s := f.hub.Shards()[0]
		for range n {
			c := s.NewSubscriber(&nowhere{s}, fanout.Frames, func() {})
			c.Start(func() { quiet{f.hub}.Start(c) })
		}
	})
	t.Logf("%d subscribers without a connection: %+v bytes each", n, bare)
	eachDriver(t, func(t *testing.T, o way) {
		n := n
		if o.tls && !full() {
			n /= 10 // handshakes take their time
		}
		for name, form := range map[string]fanout.Form{"WebSocket": fanout.Frames, "SSE": fanout.Event} {
			t.Run(name, func(t *testing.T) {
				got := perConn(t, n, o, func(d *Driver, f *tape) {
					startCrowd(t, n, o.tls, func(c net.Conn) {
						if err := d.Take(c, nil, f.hub.Shards()[0], form, quiet{f.hub}); err != nil {
							t.Fatal(err)
						}
					})
				})
				t.Logf("%d connections: %+v bytes each, %d of them the driver's", n, got, got.rss-bare.rss)
				most := int64(512)
				switch {
				case o.tls:
					most = 24 << 10
				case o.Portable:
					most = 6 << 10
				}
				if driver := got.heap + got.stack - bare.heap - bare.stack; driver > most {
					t.Errorf("the driver takes %d bytes for a connection, want %d at the most", driver, most)
				}
			})
		}
	})
}
