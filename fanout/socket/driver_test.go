package socket

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/tapecast/tapecast/fanout"
)

// runToEnd runs a driver whose time is over.
func runToEnd(t *testing.T, d *Driver, f *tape) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	begin := time.Now()
	if err := d.Run(ctx, f.hub.Shards()); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(begin); took > d.options.Linger+time.Second {
		t.Errorf("the end took %v", took)
	}
}

func TestOptions(t *testing.T) {
	for _, o := range []Options{{SendBuffer: -1}, {MaxMessage: -1}, {Linger: -1}, {Cadence: 21 * time.Millisecond}} {
		if _, err := New(o); err == nil {
			t.Errorf("%+v was taken", o)
		}
	}
}

// TestEndCutsOff ends a driver whose clients nobody has ended: they are reset,
// and the driver takes no more.
func TestEndCutsOff(t *testing.T) {
	eachDriver(t, func(t *testing.T, o way) {
		f := newTape(t)
		o.Linger = 50 * time.Millisecond
		d := newDriver(t, f, o)
		client, v := connect(t, d, f, fanout.Frames, nil)
		runToEnd(t, d, f)
		wait(t, v.ended, "the end")
		if _, err := io.Copy(io.Discard, client); err == nil {
			t.Error("the client was not cut off")
		}
		_, server := ends(t, o.tls)
		defer server.Close()
		if err := d.Take(server, nil, f.hub.Shards()[0], fanout.Frames, newViewer(f.hub)); !errors.Is(err, ErrClosed) {
			t.Errorf("Take: %v", err)
		}
	})
}

// TestTakeOfClosed refuses a connection that is gone already, and leaves nothing.
func TestTakeOfClosed(t *testing.T) {
	eachDriver(t, func(t *testing.T, o way) {
		f := newTape(t)
		d := start(t, f, o)
		_, server := ends(t, o.tls)
		server.Close()
		if err := d.Take(server, nil, f.hub.Shards()[0], fanout.Frames, newViewer(f.hub)); err == nil {
			t.Error("it was taken over")
		}
		settled(t, d)
	})
}

func TestTakeNeedsTCP(t *testing.T) {
	eachDriver(t, func(t *testing.T, o way) {
		f := newTape(t)
		d := start(t, f, o)
		a, b := net.Pipe()
		defer a.Close()
		defer b.Close()
		if o.tls {
			a = tls.Server(a, secret())
		}
		if err := d.Take(a, nil, f.hub.Shards()[0], fanout.Frames, newViewer(f.hub)); err == nil {
			t.Error("a pipe was taken over")
		}
	})
}

// TestNothingIsLeft connects and disconnects 1,000 times, or 10,000 times: neither
// goroutines nor descriptors nor subscribers are left.
func TestNothingIsLeft(t *testing.T) {
	rounds := 20
	if full() {
		rounds = 200
	}
	eachDriver(t, func(t *testing.T, o way) {
		f := newTape(t)
		d := start(t, f, o)
		client, v := connect(t, d, f, fanout.Frames, nil)
		client.Close()
		wait(t, v.ended, "the first one")
		before := settled(t, d)
		for round := range rounds {
			var clients []*peer
			var viewers []*viewer
			for i := range 50 {
				client, v := connect(t, d, f, [...]fanout.Form{fanout.Frames, fanout.Event}[i%2], nil)
				clients, viewers = append(clients, client), append(viewers, v)
			}
			f.trades(10)
			for i, c := range clients {
				switch (i + round) % 3 {
				case 0:
					put(t, c, clientClose(1000, ""))
				case 1:
					_ = c.reset()
				}
				c.Close()
			}
			for _, v := range viewers {
				wait(t, v.ended, "the end")
			}
		}
		after := settled(t, d)
		after.goroutines = goroutines(before.goroutines)
		if after.goroutines > before.goroutines || after.files > before.files {
			t.Errorf("%+v before, %+v after", before, after)
		}
		t.Logf("%d connections: %+v before, %+v after", 50*rounds, before, after)
	})
}

// full reports whether the long forms of tests are wanted.
func full() bool { return os.Getenv("TAPECAST_FULL") != "" }

// resources are what a process may leak.
type resources struct{ goroutines, files int }

// settled returns what there is once the driver has no connection.
func settled(t *testing.T, d *Driver) resources {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); d.live.Load() > 0; runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatalf("%d connections are left", d.live.Load())
		}
	}
	r := resources{goroutines: runtime.NumGoroutine(), files: files(t)}
	for range 1000 {
		runtime.Gosched()
		r.goroutines = min(r.goroutines, runtime.NumGoroutine())
	}
	return r
}

// goroutines returns how many there are once there are no more than that, or
// after a while: the last ones may be about to return.
func goroutines(most int) int {
	n := runtime.NumGoroutine()
	for deadline := time.Now().Add(3 * time.Second); n > most && time.Now().Before(deadline); n = runtime.NumGoroutine() {
		runtime.Gosched()
	}
	return n
}

// files returns how many descriptors the process has, where that can be asked.
func files(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil && runtime.GOOS == "linux" {
		t.Fatal(err)
	}
	return len(entries)
}
