package charts_test

import (
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/tapecast/tapecast/charts"
	"github.com/tapecast/tapecast/feed"
)

// model is what a series promises, as a map by start.
type model struct{ by map[int64]charts.Window }

func newModel() *model { return &model{by: map[int64]charts.Window{}} }

func (m *model) put(w charts.Window) bool {
	w.T0, w.TS = 0, 0
	if old, there := m.by[w.Start]; there && !w.Newer(&old) {
		return false
	}
	m.by[w.Start] = w
	return true
}

// windows returns those of an interval, ascending, without what has begun before
// the oldest window that is known to be whole.
func (m *model) windows(interval charts.Interval, whole int64) []charts.Window {
	var base []charts.Window
	for _, start := range slices.Sorted(maps.Keys(m.by)) {
		base = append(base, m.by[start])
	}
	return slices.DeleteFunc(rolled(base, interval), func(w charts.Window) bool { return w.Start < whole })
}

func between(all []charts.Window, start, end int64) []charts.Window {
	return slices.DeleteFunc(slices.Clone(all), func(w charts.Window) bool { return w.Start < start || w.Start >= end })
}

// drawMinutes draws windows much like those of a symbol: ascending, some again with
// another rev, some that are odd enough not to be packed.
func drawMinutes(t *rapid.T, r *rand.Rand, n int) []charts.Window {
	odd := rapid.Bool().Draw(t, "odd")
	var all []charts.Window
	seq, at := uint64(1), 0
	for range n {
		if len(all) > 0 && r.IntN(20) == 0 {
			w := all[r.IntN(len(all))]
			w.Rev += uint32(r.IntN(3))
			w.Volume++
			all = append(all, w)
			continue
		}
		at += 1 + r.IntN(3)
		count := 1 + r.IntN(10)
		w := minute(at, plain(randomTrades(r, seq, count)))
		seq += uint64(count)
		w.Next = int64(seq) * 3
		w.Synthetic = r.IntN(30) == 0
		if w.Synthetic {
			w.First, w.Seq, w.Next = 0, 0, 0
		}
		if odd && r.IntN(40) == 0 {
			makeOdd(r, &w)
		}
		all = append(all, w)
	}
	return all
}

// disorder swaps two of the windows that many times.
func disorder(r *rand.Rand, windows []charts.Window, swaps int) {
	for range swaps {
		i, j := r.IntN(len(windows)), r.IntN(len(windows))
		windows[i], windows[j] = windows[j], windows[i]
	}
}

// makeOdd changes one thing that a narrow column can't hold.
func makeOdd(r *rand.Rand, w *charts.Window) {
	switch r.IntN(6) {
	case 0:
		w.High += 1 << 40
	case 1:
		w.Low -= 1 << 40
	case 2:
		w.Count-- // a hole
	case 3:
		w.Rev = 1000
	case 4:
		w.Turnover.Hi = 1 << 40
	case 5:
		w.Next = 1 << 60
	}
	w.Count = max(w.Count, 1)
}

func TestSeriesIsItsModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		s, m := charts.NewSeries(charts.Minute, 1<<20), newModel()
		minutes := drawMinutes(t, r, rapid.IntRange(1, 600).Draw(t, "n"))
		disorder(r, minutes, rapid.SampledFrom([]int{0, 1, 5, 2000}).Draw(t, "swaps"))
		for i := range minutes {
			if got, want := s.Put(&minutes[i]), m.put(minutes[i]); got != want {
				t.Fatalf("window %d is taken: %v, want %v", i, got, want)
			}
		}
		for _, interval := range []charts.Interval{charts.Minute, charts.FiveMinutes, charts.Hour, charts.Day} {
			all := m.windows(interval, math.MinInt64)
			for range 5 {
				start, end := instant+r.Int64N(int64(30*time.Hour)), instant+r.Int64N(int64(30*time.Hour))
				if r.IntN(2) == 0 {
					start, end = interval.Floor(start), interval.Floor(end)
				}
				limit := r.IntN(len(all) + 2)
				want := between(all, start, end)
				want = want[:min(limit, len(want))]
				if got := s.Rolled(nil, interval, start, end, limit); !slices.Equal(got, want) {
					t.Fatalf("%s from %d to %d, at most %d\n got %+v\nwant %+v", interval, start, end, limit, got, want)
				}
				want = between(all, math.MinInt64, end)
				want = want[max(0, len(want)-limit):]
				if got := s.RolledTail(nil, interval, end, limit); !slices.Equal(got, want) {
					t.Fatalf("%s before %d, the last %d\n got %+v\nwant %+v", interval, end, limit, got, want)
				}
			}
			if got := s.Rolled(nil, interval, math.MinInt64, math.MaxInt64, math.MaxInt); !slices.Equal(got, all) {
				t.Fatalf("all %s\n got %+v\nwant %+v", interval, got, all)
			}
		}
	})
}

// simple returns a window whose content is a function of its place and rev.
func simple(i int, rev uint32) charts.Window {
	p := feed.Price(10000 + i%100)
	w := minute(i, charts.Bar{
		First: uint64(10*i + 1), Seq: uint64(10*i + 10), Count: 10, Open: p, High: p + 9, Low: p - 9, Close: p + 1,
		Volume: feed.Size(1000 + i), Turnover: charts.Turnover{Lo: uint64(10000 * (1000 + i))},
		Digest: uint64(i)*0x9e3779b97f4a7c15 + uint64(rev),
	})
	w.Rev, w.Next = rev, int64(i)*1000
	return w
}

func TestSeriesIsBounded(t *testing.T) {
	const most = 300
	s := charts.NewSeries(charts.Minute, most)
	for i := range 1500 {
		w := simple(i, 0)
		if !s.Put(&w) {
			t.Fatalf("window %d is refused", i)
		}
		if i%7 > 0 {
			continue
		}
		got := s.Range(nil, math.MinInt64, math.MaxInt64, math.MaxInt)
		if n := len(got); n < min(i+1, most) || n > most+255 {
			t.Fatalf("%d windows after %d", n, i+1)
		}
		if got[len(got)-1] != w {
			t.Fatalf("the last is %+v, want %+v", got[len(got)-1], w)
		}
	}
	gone := simple(10, 1)
	if s.Put(&gone) {
		t.Error("a window older than all is taken")
	}
}

// TestRolledIsWholeOrAbsent: what is left of a longer window after its beginning
// has fallen out is not shown as if it were the whole.
func TestRolledIsWholeOrAbsent(t *testing.T) {
	s, m := charts.NewSeries(charts.Minute, 1), newModel()
	for i := range 400 {
		w := simple(i, 0)
		s.Put(&w)
		m.put(w)
		oldest := s.Range(nil, math.MinInt64, math.MaxInt64, 1)[0].Start
		whole := int64(math.MinInt64)
		if oldest > instant {
			whole = oldest
		}
		want := m.windows(charts.Hour, whole)
		if got := s.Rolled(nil, charts.Hour, math.MinInt64, math.MaxInt64, 100); !slices.Equal(got, want) {
			t.Fatalf("after %d minutes\n got %+v\nwant %+v", i+1, got, want)
		}
		if got := s.RolledTail(nil, charts.Hour, math.MaxInt64, 100); !slices.Equal(got, want) {
			t.Fatalf("tail after %d minutes\n got %+v\nwant %+v", i+1, got, want)
		}
	}
}

func TestSeriesRefuses(t *testing.T) {
	s := charts.NewSeries(charts.Minute, 100)
	for _, i := range []int{5, 7} {
		w := simple(i, 1)
		if !s.Put(&w) {
			t.Fatalf("window %d is refused", i)
		}
	}
	same, older, second, empty := simple(5, 1), simple(5, 0), simple(6, 0), simple(6, 0)
	second.Interval = charts.Second
	empty.Count = 0
	for name, w := range map[string]charts.Window{
		"the same": same, "an older rev": older, "another interval": second, "one without trades": empty,
	} {
		if s.Put(&w) {
			t.Errorf("%s is taken", name)
		}
	}
	if got := s.Range(nil, math.MinInt64, math.MaxInt64, 10); !slices.Equal(got, []charts.Window{simple(5, 1), simple(7, 1)}) {
		t.Errorf("the series is %+v", got)
	}
}

func TestSeriesAppendsToDst(t *testing.T) {
	s := charts.NewSeries(charts.Minute, 100)
	w := simple(1, 0)
	s.Put(&w)
	dst := []charts.Window{w}
	if got := s.Range(dst, math.MinInt64, math.MaxInt64, 10); len(got) != 2 || got[1] != w {
		t.Errorf("Range: %+v", got)
	}
	if got := s.Tail(dst, math.MaxInt64, 10); len(got) != 2 || got[1] != w {
		t.Errorf("Tail: %+v", got)
	}
	if got := s.Tail(dst, math.MaxInt64, -1); len(got) != 1 {
		t.Errorf("Tail of a negative limit: %+v", got)
	}
	if got := s.Range(dst, math.MinInt64, math.MaxInt64, -1); len(got) != 1 {
		t.Errorf("Range of a negative limit: %+v", got)
	}
}

// check reads the series once and complains about what can't have been there.
func check(t *testing.T, s *charts.Series, dst []charts.Window) []charts.Window {
	dst = s.Range(dst[:0], math.MinInt64, math.MaxInt64, math.MaxInt)
	for i, w := range dst {
		place := int((w.Start - instant) / int64(charts.Minute))
		if w != simple(place, w.Rev) {
			t.Errorf("torn: %+v", w)
		}
		if i > 0 && dst[i-1].Seq+1 != w.First {
			t.Errorf("window %d begins at seq %d, the one before ends at %d", i, w.First, dst[i-1].Seq)
		}
	}
	hours := s.RolledTail(nil, charts.Hour, math.MaxInt64, 3)
	for i := 1; i < len(hours); i++ {
		if hours[i-1].Seq+1 != hours[i].First || hours[i-1].Count != 600 && hours[i-1].First != 1 {
			t.Errorf("hour %d: %+v, then %+v", i, hours[i-1], hours[i])
		}
	}
	return dst
}

// TestReadersSeeWholeStates runs a writer that appends, replaces and lets fall
// out against readers that check what they see.
func TestReadersSeeWholeStates(t *testing.T) {
	const reads, fewest = 150, 2000
	s := charts.NewSeries(charts.Minute, 200)
	var reading atomic.Int32
	var readers sync.WaitGroup
	for range 2 {
		reading.Add(1)
		readers.Go(func() {
			defer reading.Add(-1)
			var dst []charts.Window
			for range reads {
				dst = check(t, s, dst)
			}
		})
	}
	r := rand.New(rand.NewPCG(3, 3))
	last := 0
	for i := 0; i < fewest || reading.Load() > 0; i++ {
		w := simple(i, 0)
		s.Put(&w)
		if r.IntN(10) == 0 {
			again := simple(max(0, i-r.IntN(200)), uint32(1+i%200))
			s.Put(&again)
		}
		last = i
	}
	readers.Wait()
	if got := check(t, s, nil); got[len(got)-1].Start != simple(last, 0).Start {
		t.Errorf("the last is %+v", got[len(got)-1])
	}
}

func TestReadsDoNotAllocate(t *testing.T) {
	s := charts.NewSeries(charts.Minute, 1000)
	for i := range 1000 {
		w := simple(i, 0)
		s.Put(&w)
	}
	dst := make([]charts.Window, 0, 1000)
	if n := testing.AllocsPerRun(20, func() {
		dst = s.Range(dst[:0], math.MinInt64, math.MaxInt64, 1000)
		dst = s.Rolled(dst[:0], charts.FiveMinutes, math.MinInt64, math.MaxInt64, 1000)
		dst = s.RolledTail(dst[:0], charts.Hour, math.MaxInt64, 1000)
	}); n != 0 {
		t.Errorf("reading allocates %v times", n)
	}
}

func BenchmarkSeriesPut(b *testing.B) {
	s := charts.NewSeries(charts.Minute, 5*1440)
	i := 0
	b.ReportAllocs()
	for b.Loop() {
		w := simple(i, 0)
		s.Put(&w)
		i++
	}
}

func BenchmarkSeriesRead(b *testing.B) {
	s := charts.NewSeries(charts.Minute, 5*1440)
	for i := range 5 * 1440 {
		w := simple(i, 0)
		s.Put(&w)
	}
	dst := make([]charts.Window, 0, 500)
	b.Run("500 minutes", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			dst = s.Tail(dst[:0], math.MaxInt64, 500)
		}
	})
	b.Run("5 days", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			dst = s.RolledTail(dst[:0], charts.Day, math.MaxInt64, 500)
		}
	})
}
