package socket

import (
	"context"
	"io"
	"net"
	"testing"
	"time"

	"github.com/tapecast/tapecast/fanout"
)

// eachDriverB runs a benchmark with the options of each driver that there is.
func eachDriverB(b *testing.B, f func(b *testing.B, o way)) {
	for _, o := range ways() {
		b.Run(o.name, func(b *testing.B) { f(b, o) })
	}
}

// startB runs a driver until the benchmark ends.
func startB(b *testing.B, f *tape, o way) *Driver {
	b.Helper()
	d := newDriver(b, f, o)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- d.Run(ctx, f.hub.Shards()) }()
	b.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			b.Error(err)
		}
	})
	return d
}

// onlySocket returns the one socket of a driver, once its subscriber has started.
func onlySocket(t testing.TB, d *Driver, shard *fanout.Shard) fanout.Socket {
	t.Helper()
	started(t, shard, 1)
	l, err := d.loopOf(shard)
	if err != nil {
		t.Fatal(err)
	}
	s, ok := l.(interface{ only() fanout.Socket })
	if !ok {
		t.Fatalf("%T does not tell", l)
	}
	got := make(chan fanout.Socket, 1)
	shard.Post(func() { got <- s.only() })
	return <-got
}

// only returns a loop's one socket.
func (k *kept) only() fanout.Socket {
	k.mu.Lock()
	defer k.mu.Unlock()
	for c := range k.conns {
		return c.socket
	}
	return nil
}

// BenchmarkWrite measures one write of 98 bytes to a client that reads, with all
// that the loop does when the socket is full.
func BenchmarkWrite(b *testing.B) {
	eachDriverB(b, func(b *testing.B, o way) {
		f := newTape(b)
		o.SendBuffer, o.NotSentLowat = 1<<20, -1
		d := startB(b, f, o)
		client, server := ends(b, o.tls)
		if err := client.SetDeadline(time.Time{}); err != nil {
			b.Fatal(err)
		}
		drained := make(chan struct{})
		go func() {
			defer close(drained)
			_, _ = io.Copy(io.Discard, client)
		}()
		shard := f.hub.Shards()[0]
		if err := d.Take(server, nil, shard, fanout.Frames, quiet{f.hub}); err != nil {
			b.Fatal(err)
		}
		s := onlySocket(b, d, shard)
		msg := make([]byte, 98)
		b.ReportAllocs()
		short := 0
		run := make(chan struct{})
		write := func(n int) (left int) {
			for ; n > 0; n-- {
				k, err := s.Write(msg)
				if err != nil {
					b.Error(err)
					return 0
				}
				if k < len(msg) {
					short++
					return n - 1
				}
			}
			return 0
		}
		b.ResetTimer()
		for left := b.N; left > 0; {
			shard.Post(func() {
				left = write(left)
				run <- struct{}{}
			})
			<-run
		}
		b.StopTimer()
		b.ReportMetric(float64(short)/float64(b.N), "short/op")
		client.Close()
		<-drained
	})
}

// BenchmarkWake measures from a Post to an idle shard to the pass that runs it.
func BenchmarkWake(b *testing.B) {
	eachDriverB(b, func(b *testing.B, o way) {
		f := newTape(b)
		startB(b, f, o)
		shard := f.hub.Shards()[0]
		ran := make(chan time.Time, 1)
		run := func() { ran <- time.Now() }
		var sum time.Duration
		for range b.N {
			time.Sleep(200 * time.Microsecond) // lets it fall asleep
			begin := time.Now()
			shard.Post(run)
			sum += (<-ran).Sub(begin)
		}
		b.ReportMetric(float64(sum.Nanoseconds())/float64(b.N), "ns/wake")
	})
}

// BenchmarkEcho measures a WebSocket ping's way there and back.
func BenchmarkEcho(b *testing.B) {
	eachDriverB(b, func(b *testing.B, o way) {
		f := newTape(b)
		d := startB(b, f, o)
		client, server := ends(b, o.tls)
		if err := client.SetDeadline(time.Time{}); err != nil {
			b.Fatal(err)
		}
		if err := d.Take(server, nil, f.hub.Shards()[0], fanout.Frames, quiet{f.hub}); err != nil {
			b.Fatal(err)
		}
		in := newFrames(b, client)
		in.until("snapshot")
		ping := frame(0x89, "x")
		for b.Loop() {
			if _, err := client.Write(ping); err != nil {
				b.Fatal(err)
			}
			if op, _, err := in.next(); err != nil || op != opPong {
				b.Fatal(op, err)
			}
		}
	})
}

// BenchmarkTake measures a connection's whole life: connecting, taking over,
// leaving.
func BenchmarkTake(b *testing.B) {
	eachDriverB(b, func(b *testing.B, o way) {
		f := newTape(b)
		d := startB(b, f, o)
		ln, err := (&net.ListenConfig{}).Listen(b.Context(), "tcp", "127.0.0.1:0")
		if err != nil {
			b.Fatal(err)
		}
		defer ln.Close()
		b.ReportAllocs()
		for b.Loop() {
			out, err := (&net.Dialer{}).DialContext(b.Context(), "tcp", ln.Addr().String())
			if err != nil {
				b.Fatal(err)
			}
			in, err := ln.Accept()
			if err != nil {
				b.Fatal(err)
			}
			if o.tls {
				out, in = secured(b, out, in)
			}
			if err := d.Take(in, nil, f.hub.Shards()[0], fanout.Frames, quiet{f.hub}); err != nil {
				b.Fatal(err)
			}
			if tcp, ok := below(out).(*net.TCPConn); ok {
				_ = tcp.SetLinger(0) // leaves no port behind
			}
			below(out).Close()
		}
	})
}

func BenchmarkParser(b *testing.B) {
	in := clientText(`{"op":"ack","ts":1764000000123456}`)
	p := &parser{limit: 64 << 10, events: &silent{}}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := p.feed(in); err != nil {
			b.Fatal(err)
		}
	}
}

// silent hears nothing.
type silent struct{}

func (*silent) text([]byte) bool { return true }
func (*silent) ping([]byte) bool { return true }

// BenchmarkDeliver measures what this process spends on a delivery to one of
// 1,000 clients of one symbol in another process: 100 batches a second of 1 trade
// (S-hot), and of 10 (S-hot10). GOMAXPROCS=1 is how a node on one core does it.
func BenchmarkDeliver(b *testing.B) {
	for name, trades := range map[string]int{"hot": 1, "hot10": 10} {
		b.Run(name, func(b *testing.B) {
			eachDriverB(b, func(b *testing.B, o way) {
				const clients = 1000
				f := newTape(b)
				d := startB(b, f, o)
				shard := f.hub.Shards()[0]
				startCrowd(b, clients, o.tls, func(c net.Conn) {
					if err := d.Take(c, nil, shard, fanout.Frames, quiet{f.hub}); err != nil {
						b.Fatal(err)
					}
				})
				started(b, shard, clients)
				ticker := time.NewTicker(10 * time.Millisecond)
				defer ticker.Stop()
				for range 20 { // streams are there from now on
					<-ticker.C
					f.trades(trades)
				}
				b.ReportAllocs()
				before := cpu(b)
				b.ResetTimer()
				for range b.N {
					<-ticker.C
					f.trades(trades)
				}
				b.ReportMetric(float64((cpu(b)-before).Nanoseconds())/float64(b.N*clients*trades), "cpu-ns/delivery")
			})
		})
	}
}
