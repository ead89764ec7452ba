package charts_test

import (
	"encoding/hex"
	"flag"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/tapecast/tapecast/charts"
)

var update = flag.Bool("update", false, "write the golden files anew; a change of a golden needs a new codec version")

// windows returns one window of every shape, named as its golden file.
func windows() map[string]charts.Window {
	live := charts.Window{
		Bar: charts.Bar{
			First: 1235, Seq: 1310, Count: 76, T0: instant + 120_000_000, TS: instant + 59_870_000_001,
			Open: 18942, High: 18951, Low: 18940, Close: 18946,
			Volume: 7600, Turnover: charts.Turnover{Lo: 143_989_600}, Digest: 0x0123456789abcdef,
		},
		Interval: charts.Minute, Start: instant, Next: 987654,
	}
	corrected := live
	corrected.Rev, corrected.Count = 3, 75
	synthetic := live
	synthetic.Synthetic, synthetic.First, synthetic.Seq, synthetic.Next, synthetic.Digest = true, 0, 0, 0, 0
	extreme := live
	extreme.Bar = charts.Bar{
		First: 1, Seq: math.MaxUint64, Count: math.MaxUint64, T0: math.MinInt64, TS: math.MaxInt64,
		Open: -3763, High: math.MaxInt64, Low: math.MinInt64, Close: 1,
		Volume: math.MaxInt64, Turnover: charts.Turnover{Hi: math.MinInt64, Lo: math.MaxUint64}, Digest: math.MaxUint64,
	}
	extreme.Rev, extreme.Next = math.MaxUint32, math.MaxInt64
	day := live
	day.Interval, day.Start = charts.Day, charts.Day.Floor(instant)
	return map[string]charts.Window{
		"minute": live, "corrected": corrected, "synthetic": synthetic, "extreme": extreme, "day": day,
	}
}

func TestGoldenWindows(t *testing.T) {
	all := windows()
	for name, want := range all {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join("testdata", "windows", name+".hex")
			encoded := hex.EncodeToString(charts.AppendWindow(nil, &want))
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
			if got, err := charts.DecodeWindow(value); err != nil || got != want {
				t.Errorf("decoded\n got %+v, %v\nwant %+v", got, err, want)
			}
		})
	}
	files, err := filepath.Glob(filepath.Join("testdata", "windows", "*.hex"))
	if err != nil || len(files) != len(all) {
		t.Errorf("%d golden files for %d windows, %v", len(files), len(all), err)
	}
}

func drawWindow(t *rapid.T) charts.Window {
	w := charts.Window{
		Bar:      drawBar(t, "bar"),
		Interval: rapid.SampledFrom(charts.Intervals()).Draw(t, "interval"),
		Rev:      rapid.Uint32().Draw(t, "rev"), Synthetic: rapid.Bool().Draw(t, "synthetic"),
		Next: rapid.Int64().Draw(t, "next"),
	}
	w.Start = w.Interval.Floor(rapid.Int64Range(math.MinInt64/2, math.MaxInt64/2).Draw(t, "start"))
	w.Count = max(w.Count, 1)
	w.High, w.Low = max(w.Open, w.High, w.Low, w.Close), min(w.Open, w.High, w.Low, w.Close)
	return w
}

func TestWindowRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := drawWindow(t)
		got, err := charts.DecodeWindow(charts.AppendWindow(nil, &want))
		if err != nil || got != want {
			t.Fatalf("got  %+v, %v\nwant %+v", got, err, want)
		}
	})
}

func TestDecodeWindowRefuses(t *testing.T) {
	good := windows()["minute"]
	value := charts.AppendWindow(nil, &good)
	for n := range value {
		if w, err := charts.DecodeWindow(value[:n]); err == nil {
			t.Errorf("the first %d of %d bytes decoded as %+v", n, len(value), w)
		}
	}
	changed := func(change func(w *charts.Window)) []byte {
		w := good
		change(&w)
		return charts.AppendWindow(nil, &w)
	}
	for _, c := range []struct {
		what  string
		value []byte
		want  string
	}{
		{"a byte more", append(value, 0), "1 bytes too many"},
		{"a later version", append([]byte{2}, value[1:]...), "version 2 is unknown, this build reads version 1"},
		{"no interval", changed(func(w *charts.Window) { w.Interval = 0 }), "no multiple of its interval"},
		{"a negative interval", changed(func(w *charts.Window) { w.Interval = -1 }), "no multiple of its interval"},
		{"a start between two", changed(func(w *charts.Window) { w.Start++ }), "no multiple of its interval"},
		{"no trade", changed(func(w *charts.Window) { w.Count = 0 }), "no trade"},
		{"a low above the close", changed(func(w *charts.Window) { w.Low = w.Close + 1 }), "outside its low and high"},
		{"a high below the open", changed(func(w *charts.Window) { w.High = w.Open - 1 }), "outside its low and high"},
	} {
		if _, err := charts.DecodeWindow(c.value); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want an error with %q", c.what, err, c.want)
		}
	}
}

// FuzzDecodeWindow: nothing panics, and what decodes is a fixed point of the codec.
func FuzzDecodeWindow(f *testing.F) {
	for _, w := range windows() {
		f.Add(charts.AppendWindow(nil, &w))
	}
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, value []byte) {
		first, err := charts.DecodeWindow(value)
		if err != nil {
			return
		}
		second, err := charts.DecodeWindow(charts.AppendWindow(nil, &first))
		if err != nil || first != second {
			t.Fatalf("%+v became %+v, %v", first, second, err)
		}
	})
}

func TestWindowCodecDoesNotAllocate(t *testing.T) {
	w := windows()["minute"]
	value := charts.AppendWindow(make([]byte, 0, 256), &w)
	var err error
	if n := testing.AllocsPerRun(100, func() { value = charts.AppendWindow(value[:0], &w) }); n != 0 {
		t.Errorf("encoding allocates %v times", n)
	}
	if n := testing.AllocsPerRun(100, func() { w, err = charts.DecodeWindow(value) }); n != 0 || err != nil {
		t.Errorf("decoding allocates %v times, error %v", n, err)
	}
}

func BenchmarkWindowCodec(b *testing.B) {
	w := windows()["minute"]
	var value []byte
	b.Run("append", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			value = charts.AppendWindow(value[:0], &w)
		}
		b.ReportMetric(float64(len(value)), "B/record")
	})
	b.Run("decode", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := charts.DecodeWindow(value); err != nil {
				b.Fatal(err)
			}
		}
	})
}
