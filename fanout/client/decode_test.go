package client

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/tapecast/tapecast/charts"
	"github.com/tapecast/tapecast/feed"
)

func testSymbols(t testing.TB) *Symbols {
	t.Helper()
	s, err := ParseSymbols([]byte(symbolsJSON))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestDecodeEveryType(t *testing.T) {
	symbols := testSymbols(t)
	apple, bitcoin := symbols.Instrument("AAPL"), symbols.Instrument("BTCUSDT")
	const digestText = "00000000000000ff"
	bar := charts.Bar{
		First: 1235, Seq: 1310, Count: 76, Open: 18900, High: 18950, Low: 18890, Close: 18942, Volume: 4000,
		Turnover: charts.Turnover{Lo: 75600012}, Digest: 255,
	}
	agg := bar
	agg.T0, agg.TS = 1000, 2000
	ohlc := `"n":76,"o":189.00,"h":189.5,"l":188.90,"c":189.42,"v":4000,"to":"756000.12","d":"` + digestText + `"`
	for text, want := range map[string]Message{
		`{"type":"hello","v":1,"node":"n\u0031","ts":7,"tape":"aa","heartbeat_ms":15000,"max_symbols":50}`: {
			Type: TypeHello, TS: 7,
			Control: Control{Version: 1, Node: "n1", Tape: "aa", Heartbeat: 15 * time.Second, MaxSymbols: 50},
		},
		`{"type":"trade","sym":"AAPL","seq":1234,"ts":1764000000123456,"p":189.42,"v":100,"side":"b"}`: {
			Type: TypeTrade, Symbol: "AAPL", Instrument: apple, First: 1234, Seq: 1234, TS: 1764000000123456,
			Price: 18942, Size: 100, Side: feed.Buy,
			Bar: charts.FromTrade(&feed.Tick{Seq: 1234, TS: 1764000000123456000, Price: 18942, Size: 100}),
		},
		` { "sym" : "BTCUSDT" , "later":[{"x":null}], "v" : 0.00001, "seq":1,"p":-1.5e1,"type" : "trade", "ts":null } `: {
			Type: TypeTrade, Symbol: "BTCUSDT", Instrument: bitcoin, First: 1, Seq: 1, Price: -1500, Size: 1,
			Bar: charts.FromTrade(&feed.Tick{Seq: 1, Price: -1500, Size: 1}),
		},
		`{"type":"quote","sym":"BTCUSDT","first":985,"seq":987,"ts":5,"bp":189.41,"bv":3,"ap":189.43,"av":2.5}`: {
			Type: TypeQuote, Symbol: "BTCUSDT", Instrument: bitcoin, Channel: feed.Quotes, First: 985, Seq: 987, TS: 5,
			Bid: 18941, BidSize: 300000, Ask: 18943, AskSize: 250000,
		},
		`{"type":"agg","sym":"AAPL","first":1235,"seq":1310,"t0":1,"ts":2,` + ohlc + `}`: {
			Type: TypeAgg, Symbol: "AAPL", Instrument: apple, First: 1235, Seq: 1310, TS: 2, Bar: agg,
		},
		`{"type":"bar","sym":"AAPL","i":"1m","ts":60000000,"first":1235,"seq":1310,"final":true,"rev":2,` + ohlc + `}`: {
			Type: TypeBar, Symbol: "AAPL", Instrument: apple, First: 1235, Seq: 1310, TS: 60000000, Bar: bar,
			Interval: charts.Minute, Final: true, Rev: 2,
		},
		`{"type":"status","sym":"A\u0041PL","seq":3,"ts":5,"state":"halted","reason":"LULD \"x\""}`: {
			Type: TypeStatus, Symbol: "AAPL", Instrument: apple, Channel: feed.Statuses, First: 3, Seq: 3, TS: 5, State: "halted", Reason: `LULD "x"`,
		},
		`{"type":"correction","sym":"AAPL","seq":4,"ref":1299,"ts":5,"old":{"p":1.25,"v":3},"new":{"p":1.26,"v":4}}`: {
			Type: TypeCorrection, Symbol: "AAPL", Instrument: apple, Channel: feed.Statuses, First: 4, Seq: 4, TS: 5, Ref: 1299,
			Old: Print{125, 3}, New: Print{126, 4},
		},
		`{"type":"cancel","sym":"AAPL","seq":5,"ref":1300,"ts":5,"old":{"p":1.25,"v":3}}`: {
			Type: TypeCancel, Symbol: "AAPL", Instrument: apple, Channel: feed.Statuses, First: 5, Seq: 5, TS: 5, Ref: 1300, Old: Print{125, 3},
		},
		`{"type":"subscribed","id":"g1","symbols":60,"channels":["trades","bars:1m"],"resolution":"raw","cursor":"c","tape":"aa"}`: {
			Type: TypeSubscribed, Control: Control{ID: "g1", Count: 60, Channels: []string{"trades", "bars:1m"}, Resolution: "raw", Cursor: "c", Tape: "aa"},
		},
		`{"type":"unsubscribed","id":5,"symbols":["A","B"],"channels":[],"cursor":"c"}`: {
			Type: TypeUnsubscribed, Control: Control{Count: 2, Symbols: []string{"A", "B"}, Channels: []string{}, Cursor: "c"},
		},
		`{"type":"resolution","id":"g1","trades":"raw","quotes":"250ms","reason":"slow"}`: {
			Type: TypeResolution, Reason: "slow", Control: Control{ID: "g1", TradesAt: "raw", QuotesAt: "250ms"},
		},
		`{"type":"gap","sym":"GONE","channel":"quotes","first":7,"seq":9,"reason":"retention"}`: {
			Type: TypeGap, Symbol: "GONE", Channel: feed.Quotes, First: 7, Seq: 9, Reason: "retention",
		},
		`{"type":"gap","sym":"AAPL","channel":"statuses","seq":9,"reason":"poison"}`: {
			Type: TypeGap, Symbol: "AAPL", Channel: feed.Statuses, Seq: 9, Reason: "poison",
		},
		`{"type":"reset","reason":"new_tape"}`: {Type: TypeReset, Reason: "new_tape"},
		`{"type":"heartbeat","ts":9,"at":8,"behind_ms":250,"cursor":"c"}`: {
			Type: TypeHeartbeat, TS: 9, Control: Control{At: 8, Behind: 250 * time.Millisecond, Cursor: "c"},
		},
		`{"type":"error","id":"g1","code":"unknown_symbol","message":"no X","symbols":["X"]}`: {
			Type: TypeError, Control: Control{ID: "g1", Code: "unknown_symbol", Text: "no X", Symbols: []string{"X"}},
		},
		`{"type":"bye","code":"draining","retry_ms":100,"cursor":"c"}`: {
			Type: TypeBye, Control: Control{Code: "draining", Retry: 100 * time.Millisecond, Cursor: "c"},
		},
		`{"type":"at","cursor":"c"}`:                        {Type: TypeAt, Control: Control{Cursor: "c"}},
		`{"type":"pong","id":"p"}`:                          {Type: TypePong, Control: Control{ID: "p"}},
		`{"type":"weather","sym":5,"seq":"x","symbols":{}}`: {Type: "weather"},
	} {
		var got Message
		if err := Decode(&got, []byte(text), symbols); err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if want.Raw = []byte(text); !reflect.DeepEqual(got, want) {
			t.Errorf("%s\n got %+v\nwant %+v", text, got, want)
		}
		if clone := got.Clone(); !reflect.DeepEqual(*clone, got) || &clone.Raw[0] == &got.Raw[0] {
			t.Errorf("%s: the clone is %+v", text, clone)
		}
	}
}

func TestDecodeSnapshot(t *testing.T) {
	symbols := testSymbols(t)
	text := `{"type":"snapshot","sym":"BTCUSDT","trade":{"seq":10,"ts":1,"p":2.00,"v":1.5,"side":"s"},"quote":{"type":"quote","sym":"BTCUSDT","seq":20,"ts":2,"bp":1,"bv":1,"ap":2,"av":1},` +
		`"status":null,"day":{"ts":0,"o":1,"h":2,"l":1,"c":2,"v":9,"n":3,"to":"1.0000001","first":8,"seq":10,"d":"0000000000000001","final":false},"tape":"aa"}`
	var m Message
	if err := Decode(&m, []byte(text), symbols); err != nil {
		t.Fatal(err)
	}
	if m.Trade.Seq != 10 || m.Trade.Size != 150000 || m.Trade.Side != feed.Sell || m.Quote.Seq != 20 || m.Quote.Bid != 100 || m.Status != nil {
		t.Errorf("trade %+v, quote %+v, status %+v", m.Trade, m.Quote, m.Status)
	}
	if m.Day.Bar.High != 200 || m.Day.Bar.Turnover.Lo != 10000001 || m.Tape != "aa" || m.Day.Instrument.Symbol != "BTCUSDT" {
		t.Errorf("day %+v", m.Day)
	}
	clone := m.Clone()
	clone.Trade.Seq = 99
	if m.Trade.Seq != 10 {
		t.Error("a clone shares its parts")
	}
	var seqs []uint64
	for _, seq := range m.starts() {
		seqs = append(seqs, seq)
	}
	if !reflect.DeepEqual(seqs, []uint64{10, 20, 0}) {
		t.Errorf("starts %v", seqs)
	}
}

func TestDecodeRefuses(t *testing.T) {
	symbols := testSymbols(t)
	var m Message
	for text, words := range map[string]string{
		``:                                      "not JSON",
		`null`:                                  "not JSON",
		`[]`:                                    "not JSON",
		`{}`:                                    `no "type"`,
		`{"type"`:                               "not JSON",
		`{"type":"trade"}x`:                     "not JSON at byte 16 of 17",
		`{"type":"trade","seq":01}`:             "not JSON",
		`{"type":"trade"}`:                      `no "sym"`,
		`{"type":"trade","sym":5}`:              "not a string",
		`{"type":"trade","sym":"AAPL","seq":1}`: "needs a price",
		`{"type":"trade","sym":"AAPL","seq":0,"p":1,"v":1}`:                                                              "not a range",
		`{"type":"trade","sym":"AAPL","seq":1.5,"p":1,"v":1}`:                                                            "whole number",
		`{"type":"trade","sym":"AAPL","first":1,"seq":2,"p":1,"v":1}`:                                                    "a single one",
		`{"type":"quote","sym":"AAPL","first":3,"seq":2}`:                                                                "3..2 is not a range",
		`{"type":"trade","sym":"AAPL","seq":1,"p":1.001,"v":1}`:                                                          "more than 2 decimals",
		`{"type":"trade","sym":"AAPL","seq":1,"p":1,"v":0.5}`:                                                            "more than 0 decimals",
		`{"type":"trade","sym":"AAPL","seq":1,"p":92233720368547758.08,"v":1}`:                                           "out of range",
		`{"type":"trade","sym":"AAPL","seq":1,"p":true,"v":1}`:                                                           "not a decimal",
		`{"type":"agg","sym":"AAPL","seq":1,"n":1,"o":1,"h":1,"l":1,"c":1}`:                                              "are needed",
		`{"type":"agg","sym":"AAPL","seq":1,"n":1,"o":1,"h":1,"l":1,"c":1,"v":1,"d":"xyz"}`:                              "16 digits",
		`{"type":"agg","sym":"AAPL","seq":1,"n":1,"o":1,"h":1,"l":1,"c":1,"v":1,"d":"gggggggggggggggg"}`:                 "hexadecimal",
		`{"type":"agg","sym":"AAPL","seq":1,"n":1,"o":1,"h":1,"l":1,"c":1,"v":1,"to":"1.001"}`:                           "at most 2 decimals",
		`{"type":"agg","sym":"AAPL","seq":1,"n":1,"o":1,"h":1,"l":1,"c":1,"v":1,"to":"` + strings.Repeat("9", 39) + `"}`: "out of range",
		`{"type":"bar","sym":"AAPL","i":"2m","n":1,"o":1,"h":1,"l":1,"c":1,"v":1}`:                                       "interval",
		`{"type":"gap","sym":"AAPL","channel":"trades"}`:                                                                 "no range",
		`{"type":"gap","sym":"AAPL","channel":"news","seq":1}`:                                                           "none of",
		`{"type":"snapshot","sym":"AAPL","trade":{"seq":1,"p":1}}`:                                                       "needs a price",
		`{"type":"snapshot","sym":"AAPL","trade":5}`:                                                                     "not JSON",
		`{"type":"error","symbols":5}`:                                                                                   "not JSON",
		`{"type":"hello","heartbeat_ms":"x"}`:                                                                            "whole number",
	} {
		if err := Decode(&m, []byte(text), symbols); err == nil || !strings.Contains(err.Error(), words) {
			t.Errorf("%s: %v, must say %q", text, err, words)
		}
	}
	var unknown *UnknownSymbolError
	for _, s := range []*Symbols{nil, symbols} {
		err := Decode(&m, []byte(`{"type":"trade","sym":"NO\tPE","seq":1}`), s)
		if !errors.As(err, &unknown) || unknown.Symbol != "NO\tPE" {
			t.Errorf("an unknown symbol: %v", err)
		}
	}
}

// TestDecodeIsExact has numbers that binary floating point does not have.
func TestDecodeIsExact(t *testing.T) {
	for _, c := range []struct {
		text     string
		decimals uint8
		want     int64
	}{
		{"0.1", 1, 1},
		{"0.29", 2, 29},
		{"1.005", 3, 1005},
		{"4503599627370497.5", 1, 45035996273704975},
		{"9007199254740993", 0, 9007199254740993},
		{"922337203685477580.7", 1, 9223372036854775807},
		{"-0.01", 2, -1},
		{"1e3", 0, 1000},
		{"1.50", 1, 15},
		{"0", 9, 0},
		{`"2.5"`, 1, 25},
		{"123456789.123456789", 9, 123456789123456789},
		{"-9223372036.854775807", 9, -9223372036854775807},
		{"1.0000000000000000000000000", 0, 1},
	} {
		if got, err := fixed([]byte(c.text), c.decimals); err != nil || got != c.want {
			t.Errorf("%s at %d decimals: %d, %v", c.text, c.decimals, got, err)
		}
	}
	for _, text := range []string{"", "-", ".", "1.2.3", "--1", "1e99", "0x1", "NaN", "9223372036854775808"} {
		if got, err := fixed([]byte(text), 0); err == nil {
			t.Errorf("%q is %d", text, got)
		}
	}
}

func TestTurnoverIsExact(t *testing.T) {
	for _, want := range []charts.Turnover{
		{}, {Lo: 1}, {Hi: 1}, {Hi: -1, Lo: 1<<64 - 1}, {Hi: 1<<63 - 1, Lo: 1<<64 - 1}, {Hi: -1 << 63, Lo: 1}, {Hi: 12345, Lo: 67890},
	} {
		for _, decimals := range []int{0, 1, 7, 18} {
			text := want.Append(nil, decimals)
			got, err := turnover(text, decimals)
			if err != nil || got != want {
				t.Errorf("%s at %d decimals: %+v, %v, want %+v", text, decimals, got, err, want)
			}
		}
	}
	if got, err := turnover([]byte(`"1.5000"`), 2); err != nil || got.Lo != 150 {
		t.Errorf("%v, %v", got, err)
	}
	for _, text := range []string{"", "-", ".", "1..2", "1e5", "x"} {
		if got, err := turnover([]byte(text), 2); err == nil {
			t.Errorf("%q is %v", text, got)
		}
	}
}

func TestParseSymbolsRefuses(t *testing.T) {
	for text, words := range map[string]string{
		`x`: "invalid", `{}`: "missing", `{"symbols":[{}]}`: `entry 0: "sym"`,
		`{"symbols":[{"sym":"A","decimals":10}]}`: "at most 9", `{"symbols":[{"sym":"A","decimals":-1}]}`: "decimals",
	} {
		if _, err := ParseSymbols([]byte(text)); err == nil || !strings.Contains(err.Error(), words) {
			t.Errorf("%s: %v, must say %q", text, err, words)
		}
	}
	s := testSymbols(t)
	if in := s.Instrument("BTCUSDT"); in.Tick != 10 || in.Lot != 1 || in.Class != feed.Crypto || in.Name != "Bitcoin" {
		t.Errorf("%+v", in)
	}
	if s.Tape != "00000000000000aa" || s.Cursor != "c0" || s.Instrument("NONE") != nil {
		t.Errorf("%+v", s)
	}
}

// TestDecodesWhatTheServerEncodes reads the goldens of the server's encoder.
func TestDecodesWhatTheServerEncodes(t *testing.T) {
	files, err := filepath.Glob("../wire/testdata/*.json")
	if err != nil {
		t.Fatal(err)
	}
	if len(files) == 0 {
		t.Skip("there are no goldens in ../wire/testdata")
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for i, one := range goldens(t, file, text) {
			var head struct {
				Type string `json:"type"`
				Sym  string `json:"sym"`
			}
			if json.Unmarshal(one, &head) != nil || head.Type == "" {
				continue // not a message
			}
			m := decodeAtSomeScale(t, file, one, head.Sym)
			if !m.Type.known() {
				t.Errorf("%s: message %d is of the unknown type %q", file, i, m.Type)
			}
		}
	}
}

// goldens splits a file into its JSON values, and arrays into their elements.
func goldens(t *testing.T, file string, text []byte) []json.RawMessage {
	var all []json.RawMessage
	d := json.NewDecoder(strings.NewReader(string(text)))
	for d.More() {
		var one json.RawMessage
		if err := d.Decode(&one); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		var list []json.RawMessage
		if json.Unmarshal(one, &list) == nil {
			all = append(all, list...)
			continue
		}
		all = append(all, one)
	}
	return all
}

// decodeAtSomeScale decodes a golden, whose symbol's scales are not known here,
// at the most exact ones.
func decodeAtSomeScale(t *testing.T, file string, text []byte, symbol string) *Message {
	t.Helper()
	m := new(Message)
	if err := Decode(m, text, NewSymbols(feed.Instrument{Symbol: symbol, Decimals: 9, Scale: 9})); err != nil {
		t.Errorf("%s: %s: %v", file, text, err)
	}
	return m
}
