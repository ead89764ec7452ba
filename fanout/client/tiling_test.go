package client

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/tapecast/tapecast/charts"
	"github.com/tapecast/tapecast/feed"
)

// messagesOf decodes texts of a tape.
func messagesOf(t testing.TB, tape *tape, texts []string) []*Message {
	t.Helper()
	var all []*Message
	for _, text := range texts {
		m := new(Message)
		if err := Decode(m, []byte(text), tape.symbols); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		all = append(all, m)
	}
	return all
}

func check(all []*Message) *Tiling {
	var t Tiling
	for _, m := range all {
		t.Observe(m)
	}
	return &t
}

// aapl returns a stream of 40 AAPL trades behind a snapshot, with their truth.
func aapl(t testing.TB) (*tape, []*Message) {
	tape := newTape(300)
	all := messagesOf(t, tape, tape.snapshots(60)[:1])
	for _, m := range messagesOf(t, tape, raw(tape.entries[60:])) {
		if m.Symbol == "AAPL" && m.Type == TypeTrade && len(all) < 41 {
			all = append(all, m)
		}
	}
	return tape, all
}

func TestTilingOfAGoodStream(t *testing.T) {
	tape, all := aapl(t)
	tiling := check(all)
	from, to, sum := tiling.Sums("AAPL")
	if from != all[0].Trade.Seq+1 || to != from+39 || sum.First != from || sum.Seq != to || sum.Count != 40 {
		t.Errorf("sums over %d..%d: %+v", from, to, sum)
	}
	report := tiling.Report()
	if err := report.Err(); err != nil || report.Messages != 40 || report.Covered != 40 {
		t.Errorf("%v, report %+v", err, report)
	}
	if err := tiling.Compare("AAPL", sum, tape.truth("AAPL", from, to)); err != nil {
		t.Error(err)
	}
	if from, to, _ := tiling.Sums("NONE"); from != 0 || to != 0 || tiling.Gaps("NONE") != nil || tiling.Segments("NONE") != nil {
		t.Errorf("an unknown symbol has sums %d..%d", from, to)
	}
	if got := tiling.Symbols(); !slices.Equal(got, []string{"AAPL"}) {
		t.Errorf("symbols %v", got)
	}
}

// TestTilingFinds has one fault of every kind.
func TestTilingFinds(t *testing.T) {
	_, good := aapl(t)
	base := good[0].Trade.Seq
	text := func(format string, offsets ...uint64) string {
		args := make([]any, len(offsets))
		for i, o := range offsets {
			args[i] = base + o
		}
		return fmt.Sprintf(format, args...)
	}
	for name, c := range map[string]struct {
		spoil                    func([]*Message) []*Message
		holes, overlaps, altered uint64
		words                    string // in the first fault
	}{
		"one lost":                   {func(m []*Message) []*Message { return slices.Delete(m, 10, 11) }, 1, 0, 0, text("AAPL trades: had %d, got %d..%d: %d..%d missing", 9, 11, 11, 10, 10)},
		"four lost":                  {func(m []*Message) []*Message { return slices.Delete(m, 10, 14) }, 1, 0, 0, text("AAPL trades: had %d, got %d..%d: %d..%d missing", 9, 14, 14, 10, 13)},
		"the first lost":             {func(m []*Message) []*Message { return slices.Delete(m, 1, 2) }, 1, 0, 0, text("had %d, got %d..%d: %d..%d missing", 0, 2, 2, 1, 1)},
		"one doubled":                {func(m []*Message) []*Message { return slices.Insert(m, 11, m[10]) }, 0, 1, 0, text("AAPL trades: had %d, got %d..%d again or late", 10, 10, 10)},
		"two swapped":                {func(m []*Message) []*Message { m[10], m[11] = m[11], m[10]; return m }, 1, 1, 0, text("had %d, got %d..%d: %d..%d missing", 9, 11, 11, 10, 10)},
		"a merge that overlaps":      {func(m []*Message) []*Message { return slices.Insert(m, 11, merged(m[9:13])) }, 0, 3, 0, text("AAPL trades: had %d, got %d..%d: %d..%d again", 10, 9, 12, 9, 10)},
		"a merge of the wrong count": {func(m []*Message) []*Message { a := merged(m[9:13]); a.Bar.Count--; return slices.Replace(m, 9, 13, a) }, 0, 0, 1, text("AAPL trades %d..%d: says 3 trades, must be 4", 9, 12)},
		"a merge of the wrong low": {func(m []*Message) []*Message {
			a := merged(m[9:13])
			a.Bar.Low = a.Bar.Open + 1
			return slices.Replace(m, 9, 13, a)
		}, 0, 0, 1, text("AAPL trades %d..%d: open or close lies outside", 9, 12)},
		"a snapshot that jumps": {func(m []*Message) []*Message { return append(m, snapshotAt(base+50)) }, 1, 0, 0, text("AAPL trades: had %d, got a snapshot at %d: %d..%d missing", 40, 50, 41, 50)},
	} {
		t.Run(name, func(t *testing.T) {
			report := check(c.spoil(slices.Clone(good))).Report()
			if report.Holes != c.holes || report.Overlaps != c.overlaps || report.Altered != c.altered || report.Err() == nil {
				t.Fatalf("report %+v", report)
			}
			if !strings.Contains(report.Faults[0], c.words) {
				t.Errorf("says %q, must say %q", report.Faults[0], c.words)
			}
		})
	}
}

func snapshotAt(seq uint64) *Message {
	return &Message{Type: TypeSnapshot, Symbol: "AAPL", Trade: &Message{Type: TypeTrade, Seq: seq}}
}

// merged returns the agg of trades.
func merged(trades []*Message) *Message {
	a := &Message{Type: TypeAgg, Symbol: trades[0].Symbol, First: trades[0].First, Seq: trades[len(trades)-1].Seq}
	for _, m := range trades {
		a.Bar = charts.Merge(a.Bar, m.Bar)
	}
	return a
}

// TestCompareFinds has messages whose seqs are right and whose content is not.
func TestCompareFinds(t *testing.T) {
	for name, alter := range map[string]func(*charts.Bar){
		"volume":         func(b *charts.Bar) { b.Volume-- },
		"low":            func(b *charts.Bar) { b.Low++; b.Open, b.Close = max(b.Open, b.Low), max(b.Close, b.Low) },
		"high":           func(b *charts.Bar) { b.High++ },
		"turnover":       func(b *charts.Bar) { b.Turnover.Lo++ },
		"digest":         func(b *charts.Bar) { b.Digest++ },
		"last time (µs)": func(b *charts.Bar) { b.TS += 1000 },
	} {
		t.Run(name, func(t *testing.T) {
			tape, all := aapl(t)
			a := merged(all[1:])
			alter(&a.Bar)
			tiling := check([]*Message{all[0], a})
			from, to, sum := tiling.Sums("AAPL")
			err := tiling.Compare("AAPL", sum, tape.truth("AAPL", from, to))
			if err == nil || !strings.Contains(err.Error(), name+" is ") {
				t.Errorf("Compare: %v", err)
			}
			if r := tiling.Report(); r.Altered != 1 || r.Err() == nil {
				t.Errorf("report %+v", r)
			}
		})
	}
	t.Run("two trades exchange their prices", func(t *testing.T) {
		tape, all := aapl(t)
		x, y := all[10].Clone(), all[20].Clone()
		tick := func(m *Message, p feed.Price) { // the same times, sizes and seqs
			m.Price = p
			m.Bar = charts.FromTrade(&feed.Tick{Seq: m.Seq, TS: m.TS * 1000, Price: p, Size: m.Size})
		}
		px, py := x.Price, y.Price
		tick(x, py)
		tick(y, px)
		all[10], all[20] = x, y
		tiling := check(all)
		from, to, sum := tiling.Sums("AAPL")
		if err := tiling.Compare("AAPL", sum, tape.truth("AAPL", from, to)); err == nil || !strings.Contains(err.Error(), "digest is ") {
			t.Errorf("Compare: %v", err)
		}
	})
}

func TestTilingOfGaps(t *testing.T) {
	tape, all := aapl(t)
	base := all[0].Trade.Seq
	gap := &Message{Type: TypeGap, Symbol: "AAPL", Channel: feed.Trades, First: base + 10, Seq: base + 14, Reason: "source"}
	open := &Message{Type: TypeGap, Symbol: "AAPL", Channel: feed.Trades, Seq: base + 24}
	tiling := check(slices.Concat(all[:10], []*Message{gap}, all[15:20], []*Message{open}, all[25:]))
	report := tiling.Report()
	if err := report.Err(); err != nil || report.Gaps != 2 || report.GapSeqs != 10 || report.Covered != 30 {
		t.Errorf("%v, report %+v", err, report)
	}
	if got := tiling.Gaps("AAPL"); !slices.Equal(got, []Range{{0, base + 10, base + 14}, {0, base + 20, base + 24}}) {
		t.Errorf("gaps %v", got)
	}
	segments := tiling.Segments("AAPL")
	if len(segments) != 3 || segments[1].First != base+15 || segments[1].Seq != base+19 {
		t.Fatalf("segments %v", segments)
	}
	for _, s := range segments {
		if err := tiling.Compare("AAPL", s, tape.truth("AAPL", s.First, s.Seq)); err != nil {
			t.Error(err)
		}
	}
	if from, to, sum := check(slices.Concat(all[:10], []*Message{gap})).Sums("AAPL"); from != base+15 || to != base+14 || sum != (charts.Bar{}) {
		t.Errorf("right behind a gap: %d..%d %v", from, to, sum)
	}
	// A gap that does not begin where the client stands is a hole or an overlap.
	for offset, words := range map[uint64]string{12: "missing", 8: "again"} {
		odd := &Message{Type: TypeGap, Symbol: "AAPL", Channel: feed.Trades, First: base + offset, Seq: base + 14}
		if r := check(slices.Concat(all[:10], []*Message{odd})).Report(); r.Err() == nil || !strings.Contains(r.Faults[0], words) {
			t.Errorf("a gap from +%d behind +9: %+v", offset, r)
		}
	}
}

func TestTilingIsPerSymbolAndChannel(t *testing.T) {
	tape := newTape(300)
	all := messagesOf(t, tape, raw(tape.entries))
	report := check(all).Report()
	if err := report.Err(); err != nil || report.Covered != 300 {
		t.Fatalf("%v, report %+v", err, report)
	}
	for i, m := range all {
		last := true
		for _, later := range all[i+1:] {
			last = last && (later.Symbol != m.Symbol || later.Channel != m.Channel)
		}
		if first := m.Seq == 1; first || last {
			continue // without a start or an end that is known, none of these can be missed
		}
		r := check(slices.Concat(all[:i], all[i+1:])).Report()
		if r.Holes != 1 || !strings.HasPrefix(r.Faults[0], m.Symbol+" "+m.Channel.String()+":") {
			t.Fatalf("message %d (%s) was lost, report %+v", i, m.Raw, r)
		}
	}
}

// TestTilingOfAnyMerge merges neighbours at random: the sums are the same.
func TestTilingOfAnyMerge(t *testing.T) {
	tape, all := aapl(t)
	random := rand.New(rand.NewPCG(5, 6))
	for range 200 {
		mixed := all[:1:1]
		for i := 1; i < len(all); {
			n := min(1+random.IntN(6), len(all)-i)
			mixed = append(mixed, merged(all[i:i+n]))
			i += n
		}
		tiling := check(mixed)
		r := tiling.Report()
		from, to, sum := tiling.Sums("AAPL")
		if err := tiling.Compare("AAPL", sum, tape.truth("AAPL", from, to)); err != nil || r.Err() != nil || sum.Count != 40 {
			t.Fatalf("%v, report %+v", err, r)
		}
	}
}

func TestReportIsBounded(t *testing.T) {
	var tiling Tiling
	m := &Message{Type: TypeTrade, Symbol: "A"}
	for seq := uint64(1); seq < 10_000; seq += 2 {
		m.First, m.Seq, m.Bar = seq, seq, charts.Bar{First: seq, Seq: seq, Count: 1}
		tiling.Observe(m)
	}
	if r := tiling.Report(); r.Holes != 4999 || len(r.Faults) != keptFaults || len(tiling.Segments("A")) != keptRanges+1 {
		t.Errorf("%d holes, %d in words, %d segments", r.Holes, len(r.Faults), len(tiling.Segments("A")))
	}
}
