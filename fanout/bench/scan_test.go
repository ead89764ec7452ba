package bench

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
)

// The messages are those of the protocol's description.
const (
	tradeText    = `{"type":"trade","sym":"AAPL","seq":1234,"ts":1764000000123456,"p":189.42,"v":100,"side":"b"}`
	quoteText    = `{"type":"quote","sym":"AAPL","first":985,"seq":987,"ts":1764000000123457,"bp":189.41,"bv":300,"ap":189.43,"av":200}`
	aggText      = `{"type":"agg","sym":"AAPL","first":1235,"seq":1310,"t0":1764000000123400,"ts":1764000000123456,"n":76,"o":1.5,"h":2,"l":1,"c":2,"v":7,"to":"9","d":"00000000000000ab"}`
	statusText   = `{"type":"status","sym":"AAPL","seq":3,"ts":1764000000123458,"state":"halted","reason":"LULD"}`
	cancelText   = `{"type":"cancel","sym":"AAPL","seq":4,"ref":1299,"ts":1764000000123459,"old":{"p":1,"v":2}}`
	gapText      = `{"type":"gap","sym":"AAPL","channel":"quotes","first":5,"seq":9,"reason":"retention"}`
	snapshotText = `{"type":"snapshot","sym":"AAPL","trade":{"seq":17,"ts":1764000000123456,"p":1.5,"v":1},"quote":{"seq":40,"ts":1,"bp":1,"bv":1,"ap":2,"av":2},"day":{"i":"1d","seq":17},"tape":"0011223344556677"}`
	helloText    = `{"type":"hello","v":1,"node":"n","ts":1764000000123456,"tape":"00","heartbeat_ms":15000,"max_symbols":1000}`
	barText      = `{"type":"bar","sym":"AAPL","i":"1m","ts":1764000000000000,"o":1,"h":1,"l":1,"c":1,"v":1,"n":1,"to":"1","first":1,"seq":9,"d":"1","final":true,"rev":0}`
)

func TestRead(t *testing.T) {
	sym := []byte("AAPL")
	for text, want := range map[string]message{
		tradeText:                               {kind: trade, sym: sym, seq: 1234, ts: 1764000000123456},
		quoteText:                               {kind: quote, channel: quotes, sym: sym, first: 985, seq: 987, ts: 1764000000123457},
		aggText:                                 {kind: agg, sym: sym, first: 1235, seq: 1310, t0: 1764000000123400, ts: 1764000000123456},
		statusText:                              {kind: note, channel: statuses, sym: sym, seq: 3, ts: 1764000000123458},
		cancelText:                              {kind: note, channel: statuses, sym: sym, seq: 4, ts: 1764000000123459},
		gapText:                                 {kind: gap, channel: quotes, sym: sym, first: 5, seq: 9},
		snapshotText:                            {kind: snapshot},
		helloText:                               {},
		barText:                                 {},
		`{"type":"trade","sym":"AAPL","seq":1}`: {kind: trade, sym: sym},
	} {
		var m message
		n := m.read([]byte(text))
		if !reflect.DeepEqual(m, want) {
			t.Errorf("%s\n got %+v\nwant %+v", text, m, want)
		}
		for cut := range n {
			if got := m.read([]byte(text[:max(cut, len(begin))])); got > cut && cut >= len(begin) {
				t.Errorf("%.*s: read %d of %d bytes", cut, text, got, cut)
			}
		}
	}
}

func TestTicks(t *testing.T) {
	var m message
	for text, want := range map[string]uint64{tradeText: 1, quoteText: 3, aggText: 76, gapText: 1} {
		if m.read([]byte(text)); m.ticks() != want {
			t.Errorf("%s stands for %d ticks, want %d", text, m.ticks(), want)
		}
	}
}

func TestStarts(t *testing.T) {
	sym, last := starts([]byte(snapshotText))
	if string(sym) != "AAPL" || last != [channels]uint64{17, 40, 0} {
		t.Errorf("%s %v", sym, last)
	}
}

func TestObject(t *testing.T) {
	for text, want := range map[string]int{`{}`: 2, `{"a":{"b":"}\"}"}} {}`: 18, `{"a":`: 5} {
		if got := object([]byte(text)); got != want {
			t.Errorf("%s: %d, want %d", text, got, want)
		}
	}
}

func TestMicros(t *testing.T) {
	for in, want := range map[int64]int64{1764000000: 1764000000e6, 1764000000123: 1764000000123e3, 1764000000123456: 1764000000123456, 1764000000123456789: 1764000000123456} {
		if got := micros(in); got != want {
			t.Errorf("%d: %d, want %d", in, got, want)
		}
	}
}

func TestValue(t *testing.T) {
	for key, want := range map[string]string{"next": "abc", "cursor": ""} {
		if got := value([]byte(`],"next":"abc"}`), key); got != want {
			t.Errorf("%s: %q", key, got)
		}
	}
}

// FuzzRead: whatever comes, reading stays within it, and more bytes do not change
// what was read.
func FuzzRead(f *testing.F) {
	for _, text := range []string{tradeText, quoteText, aggText, statusText, cancelText, gapText, snapshotText, helloText, barText} {
		f.Add(strings.TrimPrefix(text, begin))
	}
	f.Fuzz(func(t *testing.T, rest string) {
		var m, longer message
		text := begin + rest
		n := m.read([]byte(text))
		if n < 0 || n > len(text) {
			t.Fatalf("read %d of %d bytes", n, len(text))
		}
		if n == 0 {
			return
		}
		if got := longer.read([]byte(text + `,"x":1}`)); got != n || fmt.Sprint(m) != fmt.Sprint(longer) {
			t.Errorf("%q: %d %v; with more behind it: %d %v", text, n, m, got, longer)
		}
	})
}

func BenchmarkScan(b *testing.B) {
	r, c := testReader("ws", 1, "AAPL")
	r.measuring = true
	var texts [64][]byte
	for i := range texts {
		texts[i] = fmt.Appendf(nil, `{"type":"trade","sym":"AAPL","seq":%d,"ts":1764000000123456,"p":189.42,"v":100,"side":"b"}`, i+1)
	}
	b.ReportAllocs()
	b.SetBytes(int64(len(texts[9])))
	for i := 0; b.Loop(); i++ {
		if i%64 == 0 {
			clear(r.tiles)
		}
		if _, err := r.scan(c, texts[i%64], true, 1764000000123999); err != nil {
			b.Fatal(err)
		}
	}
	if t := r.tiling; t.Holes+t.Overlaps+t.Malformed+t.Unasked != 0 {
		b.Errorf("%+v", t)
	}
}
