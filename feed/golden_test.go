package feed_test

import (
	"encoding/hex"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/tapecast/tapecast/feed"
)

var update = flag.Bool("update", false, "write the golden files anew; a change of a golden needs a new codec version")

// A fixed instant, 2025-11-24 14:30:00.123456789 UTC, so that goldens never change.
const instant int64 = 1763994600123456789

// samples returns one record of every kind and shape, named as its golden file.
func samples() map[string]feed.Record {
	aapl := feed.Instrument{Name: "Apple Inc.", Class: feed.Stock, Tick: 1, Lot: 1, Decimals: 2}
	trade := feed.Tick{Kind: feed.KindTrade, Side: feed.Buy, Seq: 1234, TS: instant, Price: 18942, Size: 100}
	late := trade
	late.Side, late.XTS = feed.Sell, instant-2_500_000_000
	negative := trade
	negative.Side, negative.Price, negative.Seq = feed.Unknown, -3763, 1<<64-1
	quote := feed.Tick{
		Kind: feed.KindQuote, Seq: 987, TS: instant, Price: 18941, Size: 300, Ask: 18943, AskSize: 200,
	}
	crossed := quote
	crossed.Ask = 18940
	halt := feed.Tick{
		Kind: feed.KindStatus, Seq: 3, TS: instant, Note: &feed.Note{State: feed.Halted, Reason: "LULD"},
	}
	correction := feed.Tick{Kind: feed.KindCorrection, Seq: 4, TS: instant, Note: &feed.Note{
		Ref: 1299, OldPrice: 18942, NewPrice: 18842, OldSize: 100, NewSize: 10,
	}}
	cancel := feed.Tick{Kind: feed.KindCancel, Seq: 5, TS: instant, Note: &feed.Note{
		Ref: 1300, OldPrice: 18942, OldSize: 100,
	}}
	tape := feed.TapeID(0x00c0ffee0badcafe)
	return map[string]feed.Record{
		"trade":          {Kind: feed.KindTrade, Tick: trade},
		"trade-late":     {Kind: feed.KindTrade, Tick: late},
		"trade-negative": {Kind: feed.KindTrade, Tick: negative},
		"quote":          {Kind: feed.KindQuote, Tick: quote},
		"quote-crossed":  {Kind: feed.KindQuote, Tick: crossed},
		"status":         {Kind: feed.KindStatus, Tick: halt},
		"correction":     {Kind: feed.KindCorrection, Tick: correction},
		"cancel":         {Kind: feed.KindCancel, Tick: cancel},
		"clock":          {Kind: feed.KindClock, Clock: feed.Clock{TS: instant, Tape: tape, Symbols: 300}},
		"keyframe": {Kind: feed.KindKeyframe, Keyframe: &feed.Keyframe{
			TS: instant, Tape: tape, Instrument: aapl, Trade: trade, Quote: quote, Status: halt,
			NoteSeq: 5, Day: []byte{1, 2, 3},
		}},
		"keyframe-new": {Kind: feed.KindKeyframe, Keyframe: &feed.Keyframe{
			TS: instant, Tape: tape, Instrument: aapl,
		}},
		"session": {Kind: feed.KindSession, Session: &feed.Session{
			TS: instant, Tape: tape, Seed: 42, Start: instant - 1, Scenario: "flash crash",
		}},
	}
}

// encode appends the record with the function for its kind.
func encode(dst []byte, r *feed.Record) []byte {
	switch r.Kind {
	case feed.KindClock:
		return feed.AppendClock(dst, &r.Clock)
	case feed.KindKeyframe:
		return feed.AppendKeyframe(dst, r.Keyframe)
	case feed.KindSession:
		return feed.AppendSession(dst, r.Session)
	default:
		return feed.AppendTick(dst, &r.Tick)
	}
}

func TestGoldenRecords(t *testing.T) {
	for name, want := range samples() {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join("testdata", "records", name+".hex")
			encoded := hex.EncodeToString(encode(nil, &want))
			if *update {
				if err := os.WriteFile(file, []byte(encoded+"\n"), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			golden, err := os.ReadFile(file)
			if err != nil {
				t.Fatalf("%v; -update writes it", err)
			}
			text := strings.TrimSpace(string(golden))
			if encoded != text {
				t.Errorf("the codec has changed without a new version\n got %s\nwant %s", encoded, text)
			}
			value, err := hex.DecodeString(text)
			if err != nil {
				t.Fatal(err)
			}
			var got feed.Record
			if err := feed.Decode(value, &got); err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("decoded\n got %+v\nwant %+v", got, want)
			}
		})
	}
}

// TestGoldensAreComplete makes sure that no golden is left that nothing checks.
func TestGoldensAreComplete(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("testdata", "records", "*.hex"))
	if err != nil {
		t.Fatal(err)
	}
	known := samples()
	for _, file := range files {
		if _, ok := known[strings.TrimSuffix(filepath.Base(file), ".hex")]; !ok {
			t.Errorf("no sample for %s", file)
		}
	}
	if len(files) != len(known) {
		t.Errorf("%d golden files for %d samples", len(files), len(known))
	}
}
