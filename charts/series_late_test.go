package charts_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"pgregory.net/rapid"

	"github.com/tapecast/tapecast/charts"
)

// everything returns all windows of the series.
func everything(dst []charts.Window, s *charts.Series) []charts.Window {
	return s.Range(dst, math.MinInt64, math.MaxInt64, math.MaxInt)
}

// TestFullSeriesTakesAnyOrder: whatever the order, the newest windows are kept, and
// what is rolled up is made of all that ever came.
func TestFullSeriesTakesAnyOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		keep := rapid.SampledFrom([]int{1, 128, 129, 300}).Draw(t, "keep")
		minutes := make([]charts.Window, rapid.IntRange(1, 1000).Draw(t, "n"))
		for i := range minutes {
			minutes[i] = simple(i, 0)
		}
		disorder(r, minutes, rapid.SampledFrom([]int{1, 20, 4000}).Draw(t, "swaps"))
		s, m := charts.NewSeries(charts.Minute, keep), newModel()
		for i, w := range minutes {
			taken := s.Put(&w)
			m.put(w)
			if there := len(s.Range(nil, w.Start, w.Start+1, 1)) == 1; there != taken {
				t.Fatalf("window %d is taken: %v, is there: %v", i, taken, there)
			}
			if i%29 > 0 && i < len(minutes)-1 {
				continue
			}
			got := everything(nil, s)
			all := m.windows(charts.Minute, math.MinInt64)
			if n := len(got); n < min(len(all), keep) || n > keep+255 {
				t.Fatalf("%d windows of %d, to keep %d", n, len(all), keep)
			}
			if want := all[len(all)-len(got):]; !slices.Equal(got, want) {
				t.Fatalf("after %d windows\n got %+v\nwant %+v", i+1, got, want)
			}
			whole := int64(math.MinInt64)
			if len(got) < len(all) {
				whole = got[0].Start
			}
			want := m.windows(charts.Hour, whole)
			if got := s.Rolled(nil, charts.Hour, math.MinInt64, math.MaxInt64, 100); !slices.Equal(got, want) {
				t.Fatalf("hours after %d windows\n got %+v\nwant %+v", i+1, got, want)
			}
			if got := s.RolledTail(nil, charts.Hour, math.MaxInt64, 100); !slices.Equal(got, want) {
				t.Fatalf("tail of hours after %d windows\n got %+v\nwant %+v", i+1, got, want)
			}
		}
	})
}

// TestReadersSeeLateWindows runs a writer of windows in random order against readers
// that check what they see: whole windows, ascending, and all that they saw before.
func TestReadersSeeLateWindows(t *testing.T) {
	const windows = 1500
	s := charts.NewSeries(charts.Minute, windows)
	var written atomic.Bool
	var readers sync.WaitGroup
	for range 2 {
		readers.Go(func() {
			var before, now []charts.Window
			for last := false; !last; {
				last = written.Load()
				now = everything(now[:0], s)
				checkLate(t, before, now)
				before, now = now, before
			}
			if len(before) != windows {
				t.Errorf("%d windows at the end", len(before))
			}
		})
	}
	for _, i := range rand.New(rand.NewPCG(4, 4)).Perm(windows) {
		w := simple(i, 0)
		if !s.Put(&w) {
			t.Errorf("window %d is refused", i)
		}
	}
	written.Store(true)
	readers.Wait()
}

// checkLate complains about a read that can't follow the one before.
func checkLate(t *testing.T, before, now []charts.Window) {
	seen := 0
	for i, w := range now {
		if w != simple(int((w.Start-instant)/int64(charts.Minute)), 0) {
			t.Errorf("torn: %+v", w)
		}
		if i > 0 && now[i-1].Start >= w.Start {
			t.Errorf("window %d starts at %d, the one before at %d", i, w.Start, now[i-1].Start)
		}
		if seen < len(before) && before[seen].Start == w.Start {
			seen++
		}
	}
	if seen < len(before) {
		t.Errorf("%+v has vanished", before[seen])
	}
}

// BenchmarkSeriesPutLate puts the bars of an outage of the bars role: 300 minutes
// that lie before the 300 which the node has built since it started.
func BenchmarkSeriesPutLate(b *testing.B) {
	const history, outage = 1440, 300
	put := func(s *charts.Series, from, n int) {
		for i := range n {
			w := simple(from+i, 0)
			s.Put(&w)
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		s := charts.NewSeries(charts.Minute, 30*1440)
		put(s, 0, history)
		put(s, history+outage, outage)
		b.StartTimer()
		put(s, history, outage)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/outage, "ns/window")
}
