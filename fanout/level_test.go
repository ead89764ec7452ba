package fanout_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/tapecast/tapecast/charts"
	"github.com/tapecast/tapecast/fanout"
	"github.com/tapecast/tapecast/fanout/wire"
	"github.com/tapecast/tapecast/feed"
)

func merged() []fanout.Level {
	return []fanout.Level{fanout.RawTrades, fanout.Merged100ms, fanout.Merged250ms, fanout.Merged1s, fanout.Merged5s}
}

// shared are the levels that are streams.
func shared() []fanout.Level { return append([]fanout.Level{fanout.Raw}, merged()...) }

func TestParseResolution(t *testing.T) {
	for text, want := range map[string]fanout.Level{
		"": fanout.Raw, "raw": fanout.Raw, "100ms": fanout.Merged100ms, "250ms": fanout.Merged250ms,
		"1s": fanout.Merged1s, "5s": fanout.Merged5s,
	} {
		got, ok := fanout.ParseResolution(text)
		if !ok || got != want || text != "" && got.String() != text {
			t.Errorf("%q: %v %v, want %v", text, got, ok, want)
		}
	}
	for _, text := range []string{"paced", "RAW", "1000ms", "2s", " 1s", "0"} {
		if got, ok := fanout.ParseResolution(text); ok {
			t.Errorf("%q was taken as %v", text, got)
		}
	}
	if trades, quotes := fanout.RawTrades.String(), fanout.RawTrades.Quotes(); trades != "raw" || quotes != "250ms" {
		t.Errorf("raw trades: %s, %s", trades, quotes)
	}
}

// TestLadders goes down and up again, for each set and each resolution.
func TestLadders(t *testing.T) {
	down := []fanout.Level{fanout.Merged100ms, fanout.Merged250ms, fanout.Merged1s, fanout.Merged5s, fanout.Paced, fanout.Paced}
	for set, ladder := range map[fanout.Set][]fanout.Level{
		fanout.Both:       append([]fanout.Level{fanout.Raw, fanout.RawTrades}, down[1:]...),
		fanout.TradesOnly: append([]fanout.Level{fanout.Raw}, down...),
		fanout.QuotesOnly: append([]fanout.Level{fanout.Raw}, down[1:]...),
	} {
		for i := range len(ladder) - 1 {
			if got := ladder[i].Coarser(set); got != ladder[i+1] {
				t.Errorf("set %d: below %v is %v, want %v", set, ladder[i], got, ladder[i+1])
			}
		}
		for asked := range ladder {
			for i := asked + 1; i < len(ladder)-1; i++ {
				if got := ladder[i].Finer(set, ladder[asked]); got != ladder[i-1] {
					t.Errorf("set %d, asked for %v: above %v is %v, want %v", set, ladder[asked], ladder[i], got, ladder[i-1])
				}
			}
			if got := ladder[asked].Finer(set, ladder[asked]); got != ladder[asked] {
				t.Errorf("set %d: above what was asked for, %v, is %v", set, ladder[asked], got)
			}
		}
		// A resolution that is not on the ladder is its end all the same.
		if got := fanout.Merged250ms.Finer(fanout.Both, fanout.Merged100ms); got != fanout.Merged100ms {
			t.Errorf("asked for 100ms: above 250ms is %v", got)
		}
	}
}

// TestWindows goes along tape time in odd steps.
func TestWindows(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for _, level := range merged() {
		for i := range 20 {
			symbol, w := fmt.Sprint("S", i), level.Window()
			last := int64(0)
			for ts := testStart.UnixNano(); ts < testStart.Add(130*time.Second).UnixNano(); ts += 1 + r.Int64N(w/3) {
				end := level.WindowEnd(symbol, ts)
				minute := charts.Minute.Floor(ts) + int64(charts.Minute)
				switch {
				case end <= ts || end > ts+w:
					t.Fatalf("%v %s: a window ends %d ns after a tick in it", level, symbol, end-ts)
				case end < last:
					t.Fatalf("%v %s: a window ends before the one before", level, symbol)
				case end > minute:
					t.Fatalf("%v %s: a window crosses a minute", level, symbol)
				case end != minute && (end-fanout.PhaseOf(symbol))%w != 0:
					t.Fatalf("%v %s: a window ends at %d, not at the symbol's phase", level, symbol, end)
				case level.WindowEnd(symbol, end-1) != end || level.WindowEnd(symbol, end) == end:
					t.Fatalf("%v %s: the window's end, %d, is not where the next one begins", level, symbol, end)
				}
				last = end
			}
		}
	}
}

// TestPhasesAreSpread counts how many of 500 symbols close in each tenth of a
// window: a burst is far from all of them.
func TestPhasesAreSpread(t *testing.T) {
	for _, name := range []string{"SYM%d", "T%03d", "%dUSDT"} {
		for _, level := range merged() {
			const tenths = 10
			var closing [tenths]int
			for i := range 500 {
				ts := testStart.Add(10 * time.Second).UnixNano()
				closing[(level.WindowEnd(fmt.Sprintf(name, i), ts)-ts-1)*tenths/level.Window()]++
			}
			if least, most := slices.Min(closing[:]), slices.Max(closing[:]); least < 25 || most > 85 {
				t.Errorf("%s at %v: in the tenths of a window close %v", name, level, closing)
			}
		}
	}
}

// TestLevelsAreEqualOnEveryNode reads one tape in batches of different sizes: what
// a client gets is the same to the byte, the ids of its events included.
func TestLevelsAreEqualOnEveryNode(t *testing.T) {
	for _, level := range shared() {
		for _, form := range []fanout.Form{fanout.Frames, fanout.Event} {
			for _, set := range []fanout.Set{fanout.Both, fanout.TradesOnly, fanout.QuotesOnly} {
				single, random := newFixture(t, 1, 1), newFixture(t, 1, 1)
				random.tape = single.tape
				r := &fanout.Request{Set: set, Group: fanout.Group{Resolution: level}}
				_, one := single.watch(form, r)
				_, other := random.watch(form, &fanout.Request{Set: set, Group: fanout.Group{Resolution: level}})
				for range 1500 {
					single.tape.step(30 * time.Millisecond)
					if single.rand.IntN(4) == 0 {
						single.tape.clock()
					}
					single.ingest()
					single.pass()
					if single.rand.IntN(10) == 0 {
						if err := random.feed(100); err != nil {
							t.Fatal(err)
						}
						random.pass()
					}
				}
				random.ingest()
				random.pass()
				if !bytes.Equal(one.got, other.got) || len(one.got) < 10_000 {
					t.Errorf("%v, form %v, set %d: %d bytes, and %d", level, form, set, len(one.got), len(other.got))
				}
			}
		}
	}
}

// hand is a tape of one symbol that is written by hand, of times relative to
// testStart.
type hand struct{ *fixture }

// newHand returns a tape whose symbol's windows begin at 2.5 s and its multiples: of
// those of 5 s some cross a minute, but for the rule that none does.
func newHand(t *testing.T) *hand {
	name := ""
	for i := 0; fanout.PhaseOf(name) != int64(2500*time.Millisecond); i++ {
		name = fmt.Sprint("HAND", i)
	}
	tp := newTape(1, 1, 0)
	tp.symbols = []string{name}
	tp.clock()
	tp.keyframe(name)
	hub, err := fanout.New(fanout.Options{Encoder: wire.JSON{}, From: make(feed.Position, 1), Window: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	f := &fixture{t: t, now: testStart, simNode: &simNode{
		feeder: feeder{tape: tp, hub: hub, rand: rand.New(rand.NewPCG(1, 1)), next: make([]int64, 1)},
		shard:  hub.Shards()[0],
	}}
	hub.SetClock(func() time.Time { return f.now })
	f.ingest()
	return &hand{f}
}

// put writes a tick at so many ms; of the trade or quote with seq n price and size
// are functions of n.
func (h *hand) put(ms int, kind feed.Kind, seq uint64) {
	t := feed.Tick{Kind: kind, Seq: seq, TS: testStart.UnixNano() + int64(ms)*int64(time.Millisecond)}
	switch kind {
	case feed.KindTrade:
		t.Price, t.Size, t.Side = feed.Price(10_000+100*(seq%3)+seq), feed.Size(seq), feed.Buy
	case feed.KindQuote:
		t.Price, t.Size, t.Ask, t.AskSize = feed.Price(9_000+seq), 1, feed.Price(9_100+seq), 1
	default:
		t.Note = &feed.Note{State: feed.Halted, Reason: "LULD"}
	}
	h.tape.ts = t.TS
	h.tape.add(0, h.tape.symbols[0], feed.Record{Kind: kind, Tick: t})
}

// story writes two minutes' worth of all that matters.
func (h *hand) story() {
	const t, q, s = feed.KindTrade, feed.KindQuote, feed.KindStatus
	for _, e := range []struct {
		ms   int
		kind feed.Kind
		seq  uint64
	}{
		{10, q, 1},
		{20, t, 1},
		{30, q, 2},
		{40, q, 3},
		{60, t, 2},
		{110, t, 3},
		{120, q, 4},
		{180, s, 1},
		{190, t, 4},
		{260, q, 5},
		{270, q, 6},
		{300, t, 6}, // trade 5 is missing
		{320, t, 7},
		{990, q, 7},
		{1005, t, 8},
		{59_990, t, 9},
		{59_995, q, 8},
		{60_005, t, 10},
		{60_010, q, 9},
		{60_020, t, 11},
	} {
		h.put(e.ms, e.kind, e.seq)
	}
	h.tape.ts = testStart.Add(66 * time.Second).UnixNano()
	h.tape.clock()
}

// brief writes a message in a few characters.
func (m *message) brief() string {
	first := m.Seq
	if m.First != nil {
		first = *m.First
	}
	switch m.Type {
	case "trade", "status":
		return fmt.Sprint(m.Type[:1], m.Seq)
	case "agg":
		return fmt.Sprintf("a%d-%d(%s %s %s %s %s)", first, m.Seq, m.O, m.H, m.L, m.C, m.V)
	case "quote":
		if first == m.Seq {
			return fmt.Sprint("q", m.Seq)
		}
		return fmt.Sprintf("q%d-%d", first, m.Seq)
	case "gap":
		return fmt.Sprintf("gap %s %d-%d", m.Channel, first, m.Seq)
	default:
		return m.Type
	}
}

func (h *hand) briefs(socket *simSocket) []string {
	h.t.Helper()
	messages, _, _, err := splitFrames(socket.got)
	if err != nil {
		h.t.Fatal(err)
	}
	var got []string
	for i := range messages {
		got = append(got, messages[i].brief())
	}
	return got
}

// What the story's aggs are.
const (
	agg12    = "a1-2(101.01 102.02 101.01 102.02 3)"
	agg13    = "a1-3(101.01 102.02 100.03 100.03 6)"
	agg67    = "a6-7(100.06 101.07 100.06 101.07 13)"
	agg68    = "a6-8(100.06 102.08 100.06 102.08 21)"
	agg69    = "a6-9(100.06 102.08 100.06 100.09 30)"
	agg1011  = "a10-11(101.10 102.11 101.10 102.11 21)"
	lost5    = "gap trades 5-5"
	snapshot = "snapshot"
)

// TestWhatLevelsSend is the story as each level tells it.
func TestWhatLevelsSend(t *testing.T) {
	type told map[fanout.Level][]string
	for set, levels := range map[fanout.Set]told{
		fanout.Both: {
			fanout.Raw: {
				"q1", "t1", "q2", "q3", "t2", "t3", "q4", "s1", "t4", "q5", "q6", lost5, "t6", "t7", "q7", "t8", "t9", "q8", "t10", "q9", "t11",
			},
			// A quote that waits goes out before the next trade.
			fanout.RawTrades: {
				"q1", "t1", "q2-3", "t2", "t3", "q4", "s1", "t4", "q5-6", lost5, "t6", "t7", "q7", "t8", "t9", "q8", "t10", "q9", "t11",
			},
			fanout.Merged100ms: {agg12, "q1-3", "t3", "q4", "s1", "t4", "q5-6", lost5, agg67, "q7", "t8", "t9", "q8", agg1011, "q9"},
			fanout.Merged250ms: {agg13, "q1-4", "s1", "t4", "q5-6", lost5, agg67, "q7", "t8", "t9", "q8", agg1011, "q9"},
			fanout.Merged1s:    {agg13, "q1-4", "s1", "t4", "q5-6", lost5, agg67, "t8", "q7", "t9", "q8", agg1011, "q9"},
			fanout.Merged5s:    {agg13, "q1-4", "s1", "t4", "q5-6", lost5, agg68, "q7", "t9", "q8", agg1011, "q9"},
		},
		fanout.TradesOnly: {
			fanout.Raw:         {"t1", "t2", "t3", "s1", "t4", lost5, "t6", "t7", "t8", "t9", "t10", "t11"},
			fanout.RawTrades:   {"t1", "t2", "t3", "s1", "t4", lost5, "t6", "t7", "t8", "t9", "t10", "t11"},
			fanout.Merged100ms: {agg12, "t3", "s1", "t4", lost5, agg67, "t8", "t9", agg1011},
			fanout.Merged250ms: {agg13, "s1", "t4", lost5, agg67, "t8", "t9", agg1011},
			fanout.Merged1s:    {agg13, "s1", "t4", lost5, agg67, "t8", "t9", agg1011},
			fanout.Merged5s:    {agg13, "s1", "t4", lost5, agg68, "t9", agg1011},
		},
		fanout.QuotesOnly: {
			fanout.Raw:         {"q1", "q2", "q3", "q4", "s1", "q5", "q6", "q7", "q8", "q9"},
			fanout.RawTrades:   {"q1-4", "s1", "q5-6", "q7", "q8", "q9"},
			fanout.Merged100ms: {"q1-3", "q4", "s1", "q5-6", "q7", "q8", "q9"},
			fanout.Merged250ms: {"q1-4", "s1", "q5-6", "q7", "q8", "q9"},
			fanout.Merged1s:    {"q1-4", "s1", "q5-6", "q7", "q8", "q9"},
			fanout.Merged5s:    {"q1-4", "s1", "q5-6", "q7", "q8", "q9"},
		},
	} {
		for level, want := range levels {
			h := newHand(t)
			_, socket := h.watch(fanout.Frames, &fanout.Request{Set: set, Group: fanout.Group{Resolution: level}})
			h.story()
			h.ingest()
			h.pass()
			if got := h.briefs(socket); !slices.Equal(got, append([]string{snapshot}, want...)) {
				t.Errorf("set %d, %v for trades, %v for quotes:\n got %q\nwant %q", set, level, level.Quotes(), got, want)
			}
		}
	}
}

// TestWhatIsMadeForOneClient has the story told to clients that come after it: what
// is past comes as few messages as can be.
func TestWhatIsMadeForOneClient(t *testing.T) {
	for level, want := range map[fanout.Level][]string{
		fanout.RawTrades: {
			"q1", "t1", "q2-3", "t2", "t3", "q4", "s1", "t4", "q5-6", lost5, "t6", "t7", "q7", "t8", "t9", "q8", "t10", "q9", "t11",
		},
		fanout.Merged100ms: {agg13, "q1-4", "s1", "t4", "q5-6", lost5, agg69, "q7-8", agg1011, "q9"},
		fanout.Merged5s:    {agg13, "q1-4", "s1", "t4", "q5-6", lost5, agg69, "q7-8", agg1011, "q9"},
		fanout.Paced:       {agg13, "q1-4", "s1", "t4", "q5-6", lost5, agg69, "q7-8", agg1011, "q9"},
	} {
		h := newHand(t)
		text, _ := h.hub.Cut()
		begin, err := fanout.ParseCursor(text)
		if err != nil {
			t.Fatal(err)
		}
		h.story()
		h.ingest()
		_, socket := h.watch(fanout.Frames, &fanout.Request{Set: fanout.Both, Cursor: &begin, Group: fanout.Group{Resolution: level}})
		if got := h.briefs(socket); !slices.Equal(got, want) {
			t.Errorf("%v:\n got %q\nwant %q", level, got, want)
		}
	}
}

// TestPendingIsNotOvertaken lets each kind of tick come while others wait in a
// window, and stops the tape there: what waits is sent before what can't be merged,
// and not before.
func TestPendingIsNotOvertaken(t *testing.T) {
	h := newHand(t)
	_, socket := h.watch(fanout.Frames, &fanout.Request{Set: fanout.Both, Group: fanout.Group{Resolution: fanout.Merged5s}})
	for _, step := range []struct {
		kind feed.Kind
		seq  uint64
		want []string
	}{
		{feed.KindTrade, 1, nil},
		{feed.KindQuote, 1, nil},
		{feed.KindStatus, 1, []string{"t1", "q1", "s1"}},
		{feed.KindTrade, 2, nil},
		{feed.KindQuote, 4, []string{"t2", "gap quotes 2-3"}},
		{feed.KindTrade, 3, nil},
		{feed.KindCorrection, 2, []string{"t3", "q4", "correction"}},
		{feed.KindCancel, 3, []string{"cancel"}},
	} {
		had := len(h.briefs(socket))
		h.put(100, step.kind, step.seq)
		h.ingest()
		h.pass()
		if got := h.briefs(socket)[had:]; !slices.Equal(got, step.want) {
			t.Errorf("kind %v, seq %d: got %q, want %q", step.kind, step.seq, got, step.want)
		}
	}
}
