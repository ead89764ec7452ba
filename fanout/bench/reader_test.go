package bench

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/tapecast/tapecast/fanout/client"
	"github.com/tapecast/tapecast/feed"
)

// testReader returns a reader of a node over a transport, and its first client,
// whose handshake is done.
func testReader(transport string, clients int, symbols ...string) (*reader, *conn) {
	o := &Options{URL: "http://127.0.0.1:1", Transport: transport, Symbols: symbols, Clients: clients, Duration: time.Second}
	if err := o.defaults(); err != nil {
		panic(err)
	}
	t := &target{native: true, options: o, host: "127.0.0.1:1"}
	if err := t.nativeForm("http", transport); err != nil {
		panic(err)
	}
	return newReader(t, symbols), &conn{phase: streaming}
}

// serverFrame returns a frame as servers send it.
func serverFrame(op byte, payload string) []byte {
	b := []byte{0x80 | op}
	switch n := len(payload); {
	case n < 126:
		b = append(b, byte(n))
	case n < 1<<16:
		b = binary.BigEndian.AppendUint16(append(b, 126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, 127), uint64(n))
	}
	return append(b, payload...)
}

// deliver gives bytes to a client in pieces, as sockets do.
func deliver(r *reader, c *conn, b []byte, piece func() int) error {
	var kept []byte
	for len(b) > 0 {
		n := min(piece(), len(b))
		kept = append(kept, b[:n]...)
		b = b[n:]
		used, err := r.take(c, kept, 1764000001000000)
		if err != nil {
			return err
		}
		kept = append(kept[:0], kept[used:]...)
		c.tail = kept
	}
	return nil
}

func tradeOf(sym string, seq int) string {
	return fmt.Sprintf(`{"type":"trade","sym":"%s","seq":%d,"ts":1764000000123456,"p":189.42,"v":100,"side":"b"}`, sym, seq)
}

func TestReadFrame(t *testing.T) {
	for _, size := range []int{0, 1, 125, 126, 65535, 65536} {
		b := serverFrame(opText, strings.Repeat("x", size))
		f, n, err := readFrame(b)
		if err != nil || f.op != opText || f.size != uint64(size) || n != len(b)-size {
			t.Errorf("%d bytes: %+v %d %v", size, f, n, err)
		}
		for cut := range n {
			if _, n, err := readFrame(b[:cut]); n != 0 || err != nil {
				t.Errorf("%d of %d bytes: %d %v", cut, size, n, err)
			}
		}
	}
	for name, b := range map[string][]byte{
		"masked":             {0x81, 0x81, 0, 0, 0, 0, 'x'},
		"a long ping":        {0x89, 126, 1, 0},
		"more than can come": {0x82, 127, 1, 0, 0, 0, 0, 0, 0, 0},
	} {
		if _, _, err := readFrame(b); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
}

// What a client sends must be what RFC 6455 says, else a server closes.
func TestAppendFrame(t *testing.T) {
	for _, size := range []int{0, 125, 126, 65536} {
		b := appendFrame(nil, opText, bytes.Repeat([]byte("x"), size))
		if b[0] != 0x81 || b[1]&0x80 == 0 {
			t.Errorf("%d bytes: begins with %x", size, b[:2])
		}
		b[1] &^= 0x80
		if f, n, err := readFrame(b); err != nil || f.size != uint64(size) || len(b) != n+4+size {
			t.Errorf("%d bytes: %+v, %d, %v; in all %d", size, f, n, err, len(b))
		}
	}
}

// The same stream in other pieces is the same messages: over frames, lines and
// answers.
func TestPieces(t *testing.T) {
	var ws, sse, poll []byte
	for i := 1; i <= 60; i += 3 {
		for j := range 3 {
			ws = append(ws, serverFrame(opText, tradeOf("AAPL", i+j))...)
		}
		ws = append(ws, serverFrame(opPing, "hi")...)
		list := tradeOf("AAPL", i) + "," + tradeOf("AAPL", i+1) + "," + tradeOf("AAPL", i+2)
		sse = fmt.Appendf(sse, "data: [%s]\nid: c%d\n\n", list, i)
		body := `{"messages":[` + list + `],"next":"c"}`
		poll = fmt.Appendf(poll, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	}
	for transport, b := range map[string][]byte{"ws": ws, "sse": sse, "poll": poll} {
		for seed := range uint64(20) {
			random := rand.New(rand.NewPCG(seed, 1))
			r, c := testReader(transport, 1, "AAPL")
			r.measuring = true
			if err := deliver(r, c, b, func() int { return 1 + random.IntN(200) }); err != nil {
				t.Fatalf("%s: %v", transport, err)
			}
			if got := r.tallies[steady]; got.ticks != 60 || r.tiling != (Tiling{}) || len(c.tail) != 0 || got.bytes != uint64(len(b)) {
				t.Fatalf("%s, seed %d: %d ticks in %d of %d bytes, %+v, %d bytes left", transport, seed, got.ticks, got.bytes, len(b), r.tiling, len(c.tail))
			}
			if transport == "ws" && len(c.out) != 20*8 {
				t.Errorf("20 pings were answered with %d bytes", len(c.out))
			}
		}
	}
}

// A frame of several messages is read before it is whole: a peer may put
// megabytes into one.
func TestPeerFrames(t *testing.T) {
	var payload strings.Builder
	for i := 1; i <= 500; i++ {
		fmt.Fprintf(&payload, "MSG AAPL 1 %d\r\n%s\r\n", 90, tradeOf("AAPL", i))
	}
	b := serverFrame(2, payload.String())
	r, c := testReader("ws", 1, "AAPL")
	r.target.native = false
	largest := 0
	if err := deliver(r, c, b, func() int { largest = max(largest, len(c.tail)); return 100 }); err != nil {
		t.Fatal(err)
	}
	if r.delivered != 500 || r.tiling != (Tiling{}) || largest > 300 {
		t.Errorf("%d ticks, %+v, up to %d bytes kept", r.delivered, r.tiling, largest)
	}
}

func TestForeign(t *testing.T) {
	r, c := testReader("ws", 1, "AAPL")
	r.field = []byte(`"t":`)
	r.measuring = true
	b := serverFrame(opText, `[{"s":"A","t":1764000000.5},{"s":"B","t":1764000000}]`)
	if err := deliver(r, c, b, func() int { return 3 }); err != nil {
		t.Fatal(err)
	}
	if got := r.tallies[steady]; got.ticks != 2 || got.quantiles().Max < 999_000 || got.quantiles().Max > 1_001_000 {
		t.Errorf("%d ticks, %+v; want 2 of a second", got.ticks, got.quantiles())
	}
}

// Every kind of fault is found, and each one is told from the others.
func TestFaults(t *testing.T) {
	for name, c := range map[string]struct {
		texts []string
		want  Tiling
	}{
		"none":       {[]string{snapshotText, tradeOf("AAPL", 18), tradeOf("AAPL", 19)}, Tiling{}},
		"hole":       {[]string{tradeOf("AAPL", 1), tradeOf("AAPL", 4)}, Tiling{Holes: 1, Missing: 2}},
		"first hole": {[]string{snapshotText, tradeOf("AAPL", 19)}, Tiling{Holes: 1, Missing: 1}},
		"again":      {[]string{tradeOf("AAPL", 1), tradeOf("AAPL", 1), tradeOf("AAPL", 2)}, Tiling{Overlaps: 1}},
		"snapshot":   {[]string{tradeOf("AAPL", 15), snapshotText}, Tiling{Holes: 1, Missing: 2}},
		"gap":        {[]string{strings.Replace(quoteText, `"first":985,`, "", 1), `{"type":"gap","sym":"AAPL","channel":"quotes","seq":990,"reason":"source"}`}, Tiling{Gaps: 1}},
		"unasked":    {[]string{tradeOf("MSFT", 1)}, Tiling{Unasked: 1}},
		"malformed":  {[]string{`{"type":"trade","sym":"AAPL","seq":1}`, `{"type":"trade"`}, Tiling{Malformed: 2}},
	} {
		r, one := testReader("ws", 1, "AAPL")
		for _, text := range c.texts {
			if err := deliver(r, one, serverFrame(opText, text), func() int { return 1 << 20 }); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		if r.tiling != c.want {
			t.Errorf("%s: %+v, want %+v", name, r.tiling, c.want)
		}
	}
}

// Content that is not what it should be is found by the full check alone.
func TestAlteration(t *testing.T) {
	for text, altered := range map[string]bool{
		aggText: false,
		strings.Replace(aggText, `"n":76`, `"n":75`, 1):                 true,
		strings.Replace(aggText, `"l":1`, `"l":1.7`, 1):                 true,
		strings.Replace(aggText, `"type":"agg"`, `"type":"agg",`, 1):    true,
		strings.Replace(tradeText, `"seq":1234`, `"seq":12341234e4`, 1): true,
	} {
		r, c := testReader("ws", 1, "AAPL")
		c.check = true
		r.checks[0] = &checker{symbols: client.NewSymbols(feed.Instrument{Symbol: "AAPL", Decimals: 2})}
		if err := deliver(r, c, serverFrame(opText, text), func() int { return 50 }); err != nil {
			t.Fatal(err)
		}
		var found Result
		found.Checked.add(r.checks[0], nil)
		if (found.Err() != nil) != altered || found.Checked.Clients != 1 {
			t.Errorf("%s: %v", text, found.Err())
		}
	}
}

// What ends a connection says why.
func TestEndings(t *testing.T) {
	for words, b := range map[string][]byte{
		"closed by the server with 4100 slow": serverFrame(opClose, "\x10\x04slow"),
		"closed by the server with 1005":      serverFrame(opClose, ""),
		"unknown_symbol":                      serverFrame(opText, `{"type":"error","id":"bench","code":"unknown_symbol","message":"no"}`),
		"bye: draining":                       serverFrame(opText, `{"type":"bye","code":"draining"}`),
		"no WebSocket frames":                 {0x81, 0xff},
	} {
		r, c := testReader("ws", 1, "AAPL")
		if err := deliver(r, c, b, func() int { return 1 << 20 }); err == nil || !strings.Contains(err.Error(), words) {
			t.Errorf("%q: %v", words, err)
		}
	}
}

func TestGreet(t *testing.T) {
	for words, head := range map[string]string{
		"503 Service":      "HTTP/1.1 503 Service Unavailable\r\n\r\nnot ready",
		"Accept is wrong":  "HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: nonsense\r\n\r\n",
		"no end to its he": strings.Repeat("x", maxHeader+1),
	} {
		r, c := testReader("ws", 1, "AAPL")
		c.phase = greeting
		if err := deliver(r, c, []byte(head), func() int { return 1 << 20 }); err == nil || !strings.Contains(err.Error(), words) {
			t.Errorf("%q: %v", words, err)
		}
	}
	r, c := testReader("ws", 1, "AAPL")
	c.phase = greeting
	ok := "HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: " + accept + "\r\n\r\n"
	b := append([]byte(ok), serverFrame(opText, `{"type":"subscribed","id":"bench","cursor":"c1"}`)...)
	if err := deliver(r, c, b, func() int { return 7 }); err != nil || c.phase != streaming || !bytes.Contains(c.out, []byte(`"symbols":["AAPL"]`)) {
		t.Errorf("%v, phase %d, sends %q", err, c.phase, c.out)
	}
}

// A client that may be cut off anywhere counts an event only with its id.
func TestWholeEvents(t *testing.T) {
	r, c := testReader("sse", 1, "AAPL")
	c.sort = reconnecting
	half := "data: " + tradeOf("AAPL", 1) + "\n"
	if err := deliver(r, c, []byte(half), func() int { return 50 }); err != nil || r.delivered != 0 {
		t.Fatalf("%v, %d ticks of half an event", err, r.delivered)
	}
	if err := deliver(r, c, []byte(half+"id: c9\n\n"), func() int { return 1000 }); err != nil || r.delivered != 1 || c.cursor != "c9" {
		t.Errorf("%v, %d ticks, cursor %q", err, r.delivered, c.cursor)
	}
}

// FuzzTake: whatever a server sends, on whatever transport, in whatever pieces,
// reading it ends.
func FuzzTake(f *testing.F) {
	f.Add(uint8(0), uint8(9), serverFrame(opText, tradeText))
	f.Add(uint8(0), uint8(1), serverFrame(opClose, "\x03\xe8"))
	f.Add(uint8(1), uint8(50), []byte("data: ["+tradeText+","+quoteText+"]\nid: c\n\n"))
	f.Add(uint8(2), uint8(30), []byte("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"))
	f.Fuzz(func(t *testing.T, transport, piece uint8, b []byte) {
		r, c := testReader([]string{"ws", "sse", "poll"}[transport%3], 2, "AAPL", "MSFT")
		if err := deliver(r, c, b, func() int { return 1 + int(piece) }); err == nil && len(c.tail) > len(b) {
			t.Errorf("%d bytes are left of %d", len(c.tail), len(b))
		}
	})
}
