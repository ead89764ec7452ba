package wire_test

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/tapecast/tapecast/charts"
	"github.com/tapecast/tapecast/fanout"
	"github.com/tapecast/tapecast/fanout/wire"
	"github.com/tapecast/tapecast/feed"
)

var update = flag.Bool("update", false, "write the golden messages anew")

const ts = 1764000000123456789

func stock() *feed.Instrument {
	return &feed.Instrument{Symbol: "AAPL", Name: `Apple "Inc."`, Class: feed.Stock, Tick: 1, Lot: 1, Decimals: 2}
}

func crypto() *feed.Instrument {
	return &feed.Instrument{Symbol: "BTCUSDT", Name: "Bitcoin", Class: feed.Crypto, Tick: 1, Lot: 1, Decimals: 2, Scale: 5}
}

func window() *charts.Window {
	w := &charts.Window{Interval: charts.Minute, Start: charts.Minute.Floor(ts), Rev: 1}
	w.Add(&feed.Tick{Seq: 1235, TS: ts, Price: 18942, Size: 100})
	w.Add(&feed.Tick{Seq: 1236, TS: ts + 5_000_000, Price: 18940, Size: 250})
	return w
}

// messages are all the kinds of messages, as the clients of the protocol must
// read them.
func messages() map[string][]byte {
	var e wire.JSON
	trade := &feed.Tick{Kind: feed.KindTrade, Seq: 1234, TS: ts, Price: 18942, Size: 100, Side: feed.Buy}
	late := &feed.Tick{Kind: feed.KindTrade, Seq: 7, TS: ts, XTS: ts - 2_000_000_000, Price: 6712345, Size: 150000, Side: feed.Sell}
	quote := &feed.Tick{Kind: feed.KindQuote, Seq: 987, TS: ts, Price: 18941, Size: 300, Ask: 18943, AskSize: 200}
	halt := &feed.Tick{Kind: feed.KindStatus, Seq: 3, TS: ts, Note: &feed.Note{State: feed.Halted, Reason: "LULD"}}
	note := &feed.Note{Ref: 1299, OldPrice: 18942, OldSize: 100, NewPrice: 18950, NewSize: 10}
	state := &fanout.State{
		Instrument: stock(), Tape: 0x9f3c, Trade: *trade, Quote: *quote, Status: *halt,
		Last: [feed.Channels]uint64{1234, 987, 5}, Day: *window(),
	}
	const cursor = "AQEjRWeJq83vAQgAAX-AAYCAgICAIAUGB1GCypY"
	return map[string][]byte{
		"trade":          e.Trade(nil, stock(), trade),
		"trade-crypto":   e.Trade(nil, crypto(), late),
		"quote":          e.Quote(nil, stock(), quote, 987),
		"quote-merged":   e.Quote(nil, stock(), quote, 985),
		"agg":            e.Agg(nil, stock(), &window().Bar),
		"bar":            e.Bar(nil, stock(), window(), true),
		"status":         e.Note(nil, stock(), halt),
		"correction":     e.Note(nil, stock(), &feed.Tick{Kind: feed.KindCorrection, Seq: 4, TS: ts, Note: note}),
		"cancel":         e.Note(nil, stock(), &feed.Tick{Kind: feed.KindCancel, Seq: 5, TS: ts, Note: note}),
		"snapshot":       e.Snapshot(nil, state),
		"snapshot-empty": e.Snapshot(nil, &fanout.State{Instrument: crypto(), Tape: 1}),
		"gap":            e.Gap(nil, stock(), fanout.Gap{Channel: feed.Trades, First: 3, Seq: 9, Reason: fanout.Retention}),
		"gap-open":       e.Gap(nil, stock(), fanout.Gap{Channel: feed.Quotes, Seq: 9, Reason: fanout.Source}),
		"reset":          e.Reset(nil, "new_tape"),
		"heartbeat":      e.Heartbeat(nil, fanout.Heartbeat{Now: ts, At: ts - 1e6, Behind: 1e6, Cursor: cursor}),
		"at":             e.At(nil, cursor),
		"bye":            e.Bye(nil, fanout.Bye{Code: "slow", Retry: 1e9, Cursor: cursor}),
		"hello":          wire.Hello{Node: "node-1", TS: ts, Tape: 0x9f3c, MaxSymbols: 1000}.Append(nil),
		"subscribed": wire.Subscription{
			Type: "subscribed", ID: "g1", Symbols: 60, Channels: []string{"trades", "bars:1m"}, Resolution: "raw", Cursor: cursor, Tape: 1,
		}.Append(nil),
		"error":  wire.Failure{ID: "g1", Code: "unknown_symbol", Message: "no such symbols\n\x01", Symbols: []string{"NOPE"}}.Append(nil),
		"pong":   wire.Ack{Type: "pong", ID: "7"}.Append(nil),
		"symbol": wire.Symbol(nil, crypto()),
	}
}

// TestGolden keeps the messages as clients know them. The page and the Go client
// read the same files in their own tests.
func TestGolden(t *testing.T) {
	for name, got := range messages() {
		path := filepath.Join("testdata", name+".json")
		if *update {
			if err := os.WriteFile(path, append(got, '\n'), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if string(want) != string(got)+"\n" {
			t.Errorf("%s:\n got %s\nwant %s", name, got, want)
		}
		if !json.Valid(got) {
			t.Errorf("%s is not JSON: %s", name, got)
		}
	}
}

// TestEncodingDoesNotAllocate holds for what is sent per tick.
func TestEncodingDoesNotAllocate(t *testing.T) {
	var e wire.JSON
	buf := make([]byte, 0, 1024)
	in := stock()
	tick := &feed.Tick{Kind: feed.KindTrade, Seq: 1234, TS: ts, Price: 18942, Size: 100, Side: feed.Buy}
	w := window()
	if n := testing.AllocsPerRun(100, func() {
		buf = e.Trade(buf[:0], in, tick)
		buf = e.Quote(buf[:0], in, tick, 1)
		buf = e.Agg(buf[:0], in, &w.Bar)
		buf = e.Bar(buf[:0], in, w, false)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
