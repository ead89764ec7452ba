package main

import (
	"strings"
	"testing"

	"github.com/tapecast/tapecast/fanout/client"
	"github.com/tapecast/tapecast/feed"
)

// TestTailLines keeps what tail prints for people.
func TestTailLines(t *testing.T) {
	symbols := client.NewSymbols(feed.Instrument{Symbol: "AAPL", Decimals: 2})
	lines := []struct{ message, line string }{
		{
			`{"type":"trade","sym":"AAPL","seq":7,"ts":1764000000123456,"p":189.42,"v":100,"side":"b"}`,
			"16:00:00.123456  AAPL      trade        189.42 x 100        buy",
		},
		{
			`{"type":"quote","sym":"AAPL","seq":7,"ts":1764000000123456,"bp":189.41,"bv":300,"ap":189.43,"av":200}`,
			"16:00:00.123456  AAPL      quote        189.41 x 300              189.43 x 200",
		},
		{
			`{"type":"quote","sym":"AAPL","first":3,"seq":7,"ts":1764000000123456,"bp":189.41,"bv":300,"ap":189.43,"av":200}`,
			"16:00:00.123456  AAPL      quote        189.41 x 300              189.43 x 200        5 quotes",
		},
		{
			`{"type":"agg","sym":"AAPL","first":7,"seq":82,"t0":1764000000000000,"ts":1764000000123456,"n":76,"o":189.4,"h":189.55,"l":189.31,"c":189.42,"v":7600}`,
			"16:00:00.123456  AAPL      agg          189.42 x 7600       o 189.40     h 189.55     l 189.31     76 trades",
		},
		{`{"type":"resolution","trades":"raw","quotes":"250ms","reason":"slow"}`, "· slow line: now quotes merged per 250 ms, trades raw"},
		{`{"type":"resolution","trades":"5s","quotes":"5s","reason":"slow"}`, "· slow line: now merged per 5 s"},
		{`{"type":"resolution","trades":"paced","quotes":"paced","reason":"slow"}`, "· slow line: now one merged message per symbol whenever there is room"},
		{`{"type":"resolution","trades":"1s","quotes":"1s","reason":"recovered"}`, "· recovered: merged per 1 s"},
		{`{"type":"resolution","trades":"raw","quotes":"raw","reason":"recovered"}`, "· recovered: raw again"},
		{`{"type":"resolution","trades":"raw","quotes":"raw","reason":"asked"}`, "· as asked: raw"},
		{`{"type":"heartbeat","ts":1,"at":1,"behind_ms":0,"cursor":"c"}`, ""},
	}
	var m client.Message
	for _, l := range lines {
		if err := client.Decode(&m, []byte(l.message), symbols); err != nil {
			t.Fatal(err)
		}
		if got := strings.TrimRight(string(appendLine(nil, &m)), " "); got != l.line {
			t.Errorf("%s\nprints %q\nwant   %q", l.message, got, l.line)
		}
	}
}

func TestTailRefusesBoundsOnPolls(t *testing.T) {
	c := tailConfig{urls: []string{"http://127.0.0.1:1"}, transport: "poll", maxRate: 5}
	if err := c.run(t.Context(), []string{"AAPL"}, nil, nil, nil); err == nil || !strings.Contains(err.Error(), "--max-rate") {
		t.Errorf("run: %v", err)
	}
}
