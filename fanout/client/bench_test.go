package client

import (
	"encoding/json"
	"testing"
)

func BenchmarkDecode(b *testing.B) {
	symbols := testSymbols(b)
	for name, text := range map[string]string{
		"trade": `{"type":"trade","sym":"AAPL","seq":1234,"ts":1764000000123456,"p":189.42,"v":100,"side":"b"}`,
		"quote": `{"type":"quote","sym":"AAPL","seq":987,"ts":1764000000123456,"bp":189.41,"bv":300,"ap":189.43,"av":200}`,
		"agg": `{"type":"agg","sym":"BTCUSDT","first":1235,"seq":1310,"t0":1764000000123456,"ts":1764000000223456,"n":76,"o":96189.42,"h":96190.00,` +
			`"l":96189.01,"c":96189.55,"v":12.50001,"to":"1202367.7512345","d":"0123456789abcdef"}`,
		"heartbeat": `{"type":"heartbeat","ts":1764000000123456,"at":1764000000123456,"behind_ms":0,"cursor":"AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyAhIiMkJSYnKCkq"}`,
	} {
		b.Run(name, func(b *testing.B) {
			var m Message
			raw := []byte(text)
			b.SetBytes(int64(len(raw)))
			b.ReportAllocs()
			for b.Loop() {
				if err := Decode(&m, raw, symbols); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkDecodeStandard is what the same would cost with encoding/json.
func BenchmarkDecodeStandard(b *testing.B) {
	raw := []byte(`{"type":"trade","sym":"AAPL","seq":1234,"ts":1764000000123456,"p":189.42,"v":100,"side":"b"}`)
	b.ReportAllocs()
	for b.Loop() {
		var m struct {
			Type string          `json:"type"`
			Sym  string          `json:"sym"`
			Seq  uint64          `json:"seq"`
			TS   int64           `json:"ts"`
			P    json.RawMessage `json:"p"`
			V    json.RawMessage `json:"v"`
			Side string          `json:"side"`
		}
		if err := json.Unmarshal(raw, &m); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkTake is a message's whole way through the client, from its text to a
// handler that checks the tiling.
func BenchmarkTake(b *testing.B) {
	c, err := New(Options{Base: "http://127.0.0.1:1", Symbols: []string{"*"}})
	if err != nil {
		b.Fatal(err)
	}
	c.symbols = testSymbols(b)
	var tiling Tiling
	s := &session{c: c, ctx: b.Context(), handle: func(m *Message) error { tiling.Observe(m); return nil }}
	var texts [][]byte
	for seq := range 1000 {
		texts = append(texts, []byte(trade(1_000_000+seq)))
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		if i == len(texts) { // begin the range of seqs anew
			b.StopTimer()
			c.mark.reset("")
			tiling = Tiling{}
			i = 0
			b.StartTimer()
		}
		if err := s.take(texts[i]); err != nil {
			b.Fatal(err)
		}
		i++
	}
	if r := tiling.Report(); r.Err() != nil {
		b.Fatal(r.Err())
	}
}
