package feed_test

import (
	"testing"

	"github.com/tapecast/tapecast/feed"
)

// The records that come by the thousand; the others may allocate.
func frequent() []string { return []string{"trade", "trade-late", "quote", "clock"} }

func TestHotRecordsDoNotAllocate(t *testing.T) {
	for _, name := range frequent() {
		r := samples()[name]
		buf := make([]byte, 0, 128)
		if n := testing.AllocsPerRun(100, func() { buf = encode(buf[:0], &r) }); n != 0 {
			t.Errorf("encoding a %s allocates %v times", name, n)
		}
		var got feed.Record
		var err error
		if n := testing.AllocsPerRun(100, func() { err = feed.Decode(buf, &got) }); n != 0 || err != nil {
			t.Errorf("decoding a %s allocates %v times, error %v", name, n, err)
		}
	}
	var text []byte
	var lane int
	if n := testing.AllocsPerRun(100, func() {
		text = feed.AppendPrice(text[:0], -18942, 2)
		text = feed.AppendSize(text, 123450000, 8)
		lane = feed.Lane("BTCUSDT", 8)
	}); n != 0 {
		t.Errorf("formatting and lane %d allocate %v times", lane, n)
	}
}

func BenchmarkAppendTick(b *testing.B) {
	for _, name := range []string{"trade", "quote"} {
		b.Run(name, func(b *testing.B) {
			r := samples()[name]
			buf := make([]byte, 0, 128)
			b.ReportAllocs()
			for b.Loop() {
				buf = feed.AppendTick(buf[:0], &r.Tick)
			}
			b.ReportMetric(float64(len(buf)), "B/record")
		})
	}
}

func BenchmarkDecode(b *testing.B) {
	for _, name := range frequent() {
		b.Run(name, func(b *testing.B) {
			r := samples()[name]
			value := encode(nil, &r)
			b.ReportAllocs()
			for b.Loop() {
				if err := feed.Decode(value, &r); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkAppendPrice(b *testing.B) {
	var buf []byte
	b.ReportAllocs()
	for b.Loop() {
		buf = feed.AppendPrice(buf[:0], 18942, 2)
	}
}
