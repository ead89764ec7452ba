package feed_test

import (
	"bytes"
	"math"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/tapecast/tapecast/feed"
)

// drawNote draws what a tick of that kind says beside its numbers.
func drawNote(t *rapid.T, kind feed.Kind) *feed.Note {
	price := rapid.Map(rapid.Int64(), func(v int64) feed.Price { return feed.Price(v) })
	size := rapid.Map(rapid.Int64(), func(v int64) feed.Size { return feed.Size(v) })
	switch kind {
	case feed.KindStatus:
		return &feed.Note{
			State:  rapid.SampledFrom([]feed.State{feed.Trading, feed.Halted}).Draw(t, "state"),
			Reason: rapid.StringN(-1, -1, math.MaxUint8).Draw(t, "reason"),
		}
	case feed.KindCorrection:
		return &feed.Note{
			Ref: rapid.Uint64().Draw(t, "ref"), OldPrice: price.Draw(t, "old price"), OldSize: size.Draw(t, "old size"),
			NewPrice: price.Draw(t, "new price"), NewSize: size.Draw(t, "new size"),
		}
	case feed.KindCancel:
		return &feed.Note{
			Ref: rapid.Uint64().Draw(t, "ref"), OldPrice: price.Draw(t, "old price"), OldSize: size.Draw(t, "old size"),
		}
	default:
		return nil
	}
}

func drawTick(t *rapid.T, kind feed.Kind) feed.Tick {
	tick := feed.Tick{Kind: kind, Seq: rapid.Uint64Min(1).Draw(t, "seq"), TS: rapid.Int64().Draw(t, "ts")}
	tick.Note = drawNote(t, kind)
	if kind == feed.KindTrade || kind == feed.KindQuote {
		tick.Price = feed.Price(rapid.Int64().Draw(t, "price"))
		tick.Size = feed.Size(rapid.Int64().Draw(t, "size"))
	}
	if kind == feed.KindTrade {
		tick.Side = rapid.SampledFrom([]feed.Side{feed.Unknown, feed.Buy, feed.Sell}).Draw(t, "side")
		tick.XTS = rapid.Int64().Draw(t, "xts")
	}
	if kind == feed.KindQuote {
		tick.Ask = feed.Price(rapid.Int64().Draw(t, "ask"))
		tick.AskSize = feed.Size(rapid.Int64().Draw(t, "ask size"))
	}
	return tick
}

func drawKeyframe(t *rapid.T) *feed.Keyframe {
	k := &feed.Keyframe{
		TS: rapid.Int64().Draw(t, "ts"), Tape: feed.TapeID(rapid.Uint64().Draw(t, "tape")),
		Instrument: feed.Instrument{
			Name:     rapid.StringN(-1, -1, math.MaxUint8).Draw(t, "name"),
			Class:    rapid.SampledFrom([]feed.Class{feed.Stock, feed.Crypto}).Draw(t, "class"),
			Tick:     feed.Price(rapid.Int64Min(1).Draw(t, "tick")),
			Lot:      feed.Size(rapid.Int64Min(1).Draw(t, "lot")),
			Decimals: rapid.Uint8Max(feed.MaxDecimals).Draw(t, "decimals"),
			Scale:    rapid.Uint8Max(feed.MaxDecimals).Draw(t, "scale"),
		},
		NoteSeq: rapid.Uint64().Draw(t, "note seq"),
	}
	if rapid.Bool().Draw(t, "has trade") {
		k.Trade = drawTick(t, feed.KindTrade)
	}
	if rapid.Bool().Draw(t, "has quote") {
		k.Quote = drawTick(t, feed.KindQuote)
	}
	if rapid.Bool().Draw(t, "has status") {
		k.Status = drawTick(t, feed.KindStatus)
	}
	if day := rapid.SliceOf(rapid.Byte()).Draw(t, "day"); len(day) > 0 {
		k.Day = day
	}
	return k
}

func drawRecord(t *rapid.T) feed.Record {
	kind := rapid.SampledFrom([]feed.Kind{
		feed.KindTrade, feed.KindQuote, feed.KindStatus, feed.KindCorrection, feed.KindCancel,
		feed.KindClock, feed.KindKeyframe, feed.KindSession,
	}).Draw(t, "kind")
	r := feed.Record{Kind: kind}
	switch kind {
	case feed.KindClock:
		r.Clock = feed.Clock{
			TS: rapid.Int64().Draw(t, "ts"), Tape: feed.TapeID(rapid.Uint64().Draw(t, "tape")),
			Symbols: rapid.IntRange(0, math.MaxInt32).Draw(t, "symbols"),
		}
	case feed.KindKeyframe:
		r.Keyframe = drawKeyframe(t)
	case feed.KindSession:
		r.Session = &feed.Session{
			TS: rapid.Int64().Draw(t, "ts"), Tape: feed.TapeID(rapid.Uint64().Draw(t, "tape")),
			Seed: rapid.Uint64().Draw(t, "seed"), Start: rapid.Int64().Draw(t, "start"),
			Scenario: rapid.StringN(-1, -1, math.MaxUint8).Draw(t, "scenario"),
		}
	default:
		r.Tick = drawTick(t, kind)
	}
	return r
}

// TestRoundTrip: every record comes back as it was, and refers to nothing of the
// bytes it was read from.
func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := drawRecord(t)
		value := encode([]byte("before"), &want)
		if !bytes.HasPrefix(value, []byte("before")) {
			t.Fatal("what was in the buffer was overwritten")
		}
		value = value[len("before"):]
		got := feed.Record{Kind: 99, Tick: feed.Tick{Seq: 5, Note: &feed.Note{}}, Session: &feed.Session{}}
		if err := feed.Decode(value, &got); err != nil {
			t.Fatal(err)
		}
		for i := range value {
			value[i] = 0xff
		}
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("got  %+v\nwant %+v", got, want)
		}
	})
}

// TestTruncated: no proper beginning of a record is a record, and nothing may
// follow one.
func TestTruncated(t *testing.T) {
	for name, sample := range samples() {
		value := encode(nil, &sample)
		var r feed.Record
		for n := range value {
			if err := feed.Decode(value[:n], &r); err == nil {
				t.Errorf("%s: the first %d of %d bytes decoded as %+v", name, n, len(value), r)
			}
		}
		if err := feed.Decode(append(value, 0), &r); err == nil || !strings.Contains(err.Error(), "1 bytes too many") {
			t.Errorf("%s with a byte more: %v", name, err)
		}
	}
}

// patched returns the sample's record with one byte changed.
func patched(name string, at int, b byte) []byte {
	r := samples()[name]
	value := encode(nil, &r)
	if at < 0 {
		at += len(value)
	}
	value[at] = b
	return value
}

func TestDecodeRefuses(t *testing.T) {
	seq0 := feed.AppendTick(nil, &feed.Tick{Kind: feed.KindQuote, TS: instant})
	noLot := samples()["keyframe-new"]
	noLot.Keyframe.Instrument.Lot = 0
	coarse := samples()["keyframe-new"]
	coarse.Keyframe.Instrument.Decimals = feed.MaxDecimals + 1
	noClass := samples()["keyframe-new"]
	noClass.Keyframe.Instrument.Class = 7
	for _, c := range []struct {
		what  string
		value []byte
		want  string
	}{
		{"nothing", nil, "ends too early"},
		{"a later version", patched("trade", 0, 2<<4|1), "version 2 is unknown, this build reads version 1"},
		{"an unknown kind", patched("trade", 0, 1<<4|7), "kind 7 is unknown"},
		{"seq 0", seq0, "seqs begin at 1"},
		{"side 3", patched("trade", -1, 3), "side byte 0x3"},
		{"an unknown side bit", patched("trade", -1, 0x41), "side byte 0x41"},
		{"an unknown state", patched("status", 10, 9), "state 9"},
		{"a reason longer than the record", patched("status", 11, 200), "ends too early"},
		{"no lot", encode(nil, &noLot), "must be positive"},
		{"too many decimals", encode(nil, &coarse), "at most 9 decimals"},
		{"an unknown class", encode(nil, &noClass), "class 7"},
		{"an unknown presence bit", patched("keyframe-new", -2, 0x10), "presence byte 0x10"},
		{"a day longer than the record", patched("keyframe-new", -1, 1), "ends too early"},
		{"a negative count", feed.AppendClock(nil, &feed.Clock{Symbols: -1}), "out of range"},
		{"a varint without end", append([]byte{1<<4 | 1}, bytes.Repeat([]byte{0xff}, 9)...), "ends too early"},
		{"a varint above 64 bits", append([]byte{1<<4 | 1}, bytes.Repeat([]byte{0xff}, 30)...), "does not fit 64 bits"},
	} {
		t.Run(c.what, func(t *testing.T) {
			var r feed.Record
			err := feed.Decode(c.value, &r)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want an error with %q", err, c.want)
			}
		})
	}
}

// TestLongTextIsCut: texts are bounded by their one byte of length.
func TestLongTextIsCut(t *testing.T) {
	s := feed.Session{Scenario: strings.Repeat("x", 300)}
	var r feed.Record
	if err := feed.Decode(feed.AppendSession(nil, &s), &r); err != nil {
		t.Fatal(err)
	}
	if r.Session.Scenario != s.Scenario[:255] {
		t.Errorf("%d bytes came back", len(r.Session.Scenario))
	}
}

func TestRecordTS(t *testing.T) {
	for name, r := range samples() {
		if r.TS() != instant {
			t.Errorf("%s: TS is %d", name, r.TS())
		}
	}
}

// FuzzDecode: nothing panics, and what decodes is a fixed point of the codec.
func FuzzDecode(f *testing.F) {
	for _, r := range samples() {
		f.Add(encode(nil, &r))
	}
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, value []byte) {
		var first, second feed.Record
		if feed.Decode(value, &first) != nil {
			return
		}
		again := encode(nil, &first)
		if err := feed.Decode(again, &second); err != nil {
			t.Fatalf("%+v does not decode again: %v", first, err)
		}
		if !reflect.DeepEqual(first, second) {
			t.Fatalf("%+v became %+v", first, second)
		}
		if len(again) > len(value) {
			t.Fatalf("%d bytes became %d", len(value), len(again))
		}
	})
}
