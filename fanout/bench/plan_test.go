package bench

import (
	"encoding/json"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestOptionsRefused(t *testing.T) {
	for words, change := range map[string]func(*Options){
		"either the URL of a node or":   func(o *Options) { o.PeerURL = "ws://x" },
		"one server can be measured":    func(o *Options) { o.URL = "" },
		"for a peer's URL alone":        func(o *Options) { o.PeerField = "t" },
		"can't be asked for its symbol": func(o *Options) { o.URL, o.PeerURL = "", "ws://x" },
		"either the server's process":   func(o *Options) { o.PID, o.Admin = 1, "http://x" },
		"0 clients are none":            func(o *Options) { o.Clients = 0 },
		"can't be negative":             func(o *Options) { o.Stalled = -1 },
		"more than the 10":              func(o *Options) { o.Stalled = 11 },
		"are stalled ones":              func(o *Options) { o.Slow = 1 },
		"every 10ms at most":            func(o *Options) { o.Reconnecting = 1 },
		"can't watch -2 symbols":        func(o *Options) { o.Each = -2 },
		"-1 clients can't be checked":   func(o *Options) { o.Checked = -1 },
		"longer than nothing":           func(o *Options) { o.Duration = 0 },
		"can't be expected":             func(o *Options) { o.Expect = -1 },
	} {
		o := Options{URL: "http://127.0.0.1:1", Clients: 10, Duration: time.Second}
		change(&o)
		if _, err := New(o); err == nil || !strings.Contains(err.Error(), words) {
			t.Errorf("%q: %v", words, err)
		}
	}
}

func TestTargetRefused(t *testing.T) {
	for words, o := range map[string]Options{
		"not the address of a server": {URL: "127.0.0.1"},
		"without TLS in front":        {URL: "https://127.0.0.1:1"},
		"must be one of ws":           {URL: "http://127.0.0.1:1", Transport: "carrier pigeon"},
		"a peer's address begins":     {PeerURL: "wss://127.0.0.1:1"},
	} {
		if _, err := newTarget(t.Context(), &o); err == nil || !strings.Contains(err.Error(), words) {
			t.Errorf("%q: %v", words, err)
		}
	}
}

// Each symbol has as many clients as another, and slot and symbol undo each other.
func TestWatched(t *testing.T) {
	symbols := []string{"A", "B", "C", "D", "E"}
	for _, each := range []int{1, 2, 5, All} {
		r, _ := testReader("ws", 10, symbols...)
		r.target.options.Each = each
		r = newReader(r.target, symbols)
		count := map[string]int{}
		for id := range int32(10) {
			c := &conn{id: id}
			for slot, sym := range r.watched(c) {
				count[sym]++
				if got := r.slot(c, []byte(sym)); got != slot || symbols[r.symbol(c, slot)] != sym {
					t.Errorf("each %d, client %d, %s: slot %d, want %d, symbol %d", each, id, sym, got, slot, r.symbol(c, slot))
				}
			}
			if each == 2 && r.slot(c, []byte(symbols[(id+2)%5])) != -1 {
				t.Errorf("client %d watches what it did not ask for", id)
			}
		}
		for _, sym := range symbols {
			if count[sym] != count["A"] {
				t.Errorf("each %d: %v", each, count)
			}
		}
	}
}

func TestExpand(t *testing.T) {
	var got []string
	for _, template := range []string{"HI {n}", "SUB {sym} {n}", "all {syms}"} {
		got = append(got, expand(template, []string{"A", "B"}, len(got))...)
	}
	if want := []string{"HI 1", "SUB A 2", "SUB B 3", "all A,B"}; !reflect.DeepEqual(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// A command must be JSON, and a resuming one says exactly what the client has.
func TestCommand(t *testing.T) {
	r, c := testReader("ws", 1, "AAPL", "MSFT")
	r.target.options.Each = 2
	r = newReader(r.target, r.names)
	c.cursor = "c1"
	copy(r.tiles, []uint64{1311, 0, 4, 0, 1, 0})
	b := r.target.command(r.watched(c), c.cursor, r.have(c))
	_, n, err := readFrame(append([]byte{b[0], b[1] &^ 0x80}, b[2:]...))
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Op, Cursor        string
		Symbols, Channels []string
		Since             map[string]map[string]uint64
	}
	if err := json.Unmarshal(b[n+4:], &got); err != nil {
		t.Fatalf("%v: %s", err, b[n+4:])
	}
	since := map[string]map[string]uint64{"AAPL": {"trades": 1310, "statuses": 3}, "MSFT": {"quotes": 0}}
	if got.Op != "subscribe" || got.Cursor != "c1" || !reflect.DeepEqual(got.Since, since) || !reflect.DeepEqual(got.Symbols, []string{"AAPL", "MSFT"}) {
		t.Errorf("%+v", got)
	}
}

func TestLimits(t *testing.T) {
	l := limits{files: 1000, first: 32768, last: 60999}
	for words, c := range map[string]struct {
		clients int
		server  uint64
	}{"": {900, 2000}, "this process may have 1000": {960, 0}, "of the server": {900, 500}} {
		l.filesOf = c.server
		err := l.check(c.clients)
		if words == "" && err != nil || words != "" && (err == nil || !strings.Contains(err.Error(), words)) {
			t.Errorf("%q: %v", words, err)
		}
	}
	loopback, far := netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("10.0.0.1")
	for clients, want := range map[int]int{1000: 0, 21174: 0, 21175: 2, 60_000: 3} {
		from, err := l.sources(clients, loopback)
		if err != nil || len(from) != want {
			t.Errorf("%d clients: %v %v, want %d addresses", clients, from, err, want)
		}
	}
	if _, err := l.sources(30_000, far); err == nil || !strings.Contains(err.Error(), "ip_local_port_range") {
		t.Errorf("30,000 clients from one address: %v", err)
	}
}

// A rota visits everyone once a turn, evenly, and does not run to catch up with
// more than a turn.
func TestRota(t *testing.T) {
	r := rota{clients: make([]int, 100), every: time.Second, begin: time.Unix(0, 0)}
	total := 0
	for ms := 5; ms <= 1000; ms += 5 {
		n := r.due(time.Unix(0, int64(ms)*1e6))
		if n > 1 {
			t.Errorf("%d visits at once after %d ms", n, ms)
		}
		total += n
	}
	if total != 100 {
		t.Errorf("%d visits in a turn of 100", total)
	}
	if n := r.due(time.Unix(9, 0)); n != 100 {
		t.Errorf("%d visits after a long pause", n)
	}
	if n := new(rota).due(time.Unix(1, 0)); n != 0 {
		t.Errorf("%d visits of nobody", n)
	}
}

// Every tick of a message counts, each with its own time.
func TestTally(t *testing.T) {
	for ticks, want := range map[uint64][2]int64{1: {1000, 1000}, 2: {1000, 8000}, 3: {1000, 8000}, 76: {1000, 8000}, 1_000_000: {1000, 8000}} {
		y := newTally()
		m := message{kind: agg, first: 1, seq: ticks, t0: 1_000_000, ts: 1_007_000}
		if ticks == 1 {
			m.t0 = m.ts
		}
		y.record(&m, 1_008_000)
		q := y.quantiles()
		low := y.latency.Min()
		if y.latency.TotalCount() != int64(ticks) || y.ticks != ticks || y.messages != 1 {
			t.Errorf("%d ticks: counted %d", ticks, y.latency.TotalCount())
		}
		if low < want[0]-1 || low > want[0]+1 || q.Max < want[1]-10 || q.Max > want[1]+10 {
			t.Errorf("%d ticks: %d to %d µs, want %v", ticks, low, q.Max, want)
		}
	}
	y := newTally()
	y.record(&message{kind: trade, seq: 1, ts: 5_000_000}, 4_000_000) // clocks differ
	if q := y.quantiles(); q.P50 != 1 || y.latency.TotalCount() != 1 {
		t.Errorf("a tick from the future: %+v", q)
	}
}

func TestUsage(t *testing.T) {
	cpu, rss, err := parseStat([]byte("42 (a (b) c) S 1 42 42 0 -1 4194560 100 0 0 0 250 50 0 0 20 0 5 0 1000 2000000 300 18446744073709551615"), 4096)
	if err != nil || cpu != 3 || rss != 300*4096 {
		t.Errorf("%v s, %v bytes, %v", cpu, rss, err)
	}
	if _, _, err := parseStat([]byte("42 (a) S 1"), 4096); err == nil {
		t.Error("half a line was taken")
	}
	body := []byte("# HELP x y\nprocess_cpu_seconds_total_more 7\nprocess_cpu_seconds_total 1.25\n")
	if v, err := metric(body, "process_cpu_seconds_total"); err != nil || v != 1.25 {
		t.Errorf("%v %v", v, err)
	}
	if _, err := metric(body, "process_resident_memory_bytes"); err == nil {
		t.Error("a metric that is not there was found")
	}
}
