package fanout_test

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/tapecast/tapecast/charts"
	"github.com/tapecast/tapecast/feed"
)

// message is any message that the tests look at.
type message struct {
	Type    string
	Sym     string
	Channel string
	First   *uint64
	Seq     uint64
	N       uint64
	P       json.Number
	V       json.Number
	O, H, L json.Number
	C       json.Number
	To      string
	D       string
	I       string
	TS      int64
	Final   bool
	Cursor  string
	Code    string
	ID      string
	Reason  string
	Trades  string
	Quotes  string
	Trade   *message
	Quote   *message
	Status  *message
}

// split takes whole messages out of a form's bytes; each form has its own.
type split func(b []byte) (messages []message, id string, rest []byte, err error)

// splitFrames reads WebSocket frames.
func splitFrames(b []byte) (out []message, id string, rest []byte, err error) {
	for len(b) >= 2 {
		n, head := int(b[1]), 2
		switch n {
		case 126:
			if len(b) < 4 {
				return out, "", b, nil
			}
			n, head = int(binary.BigEndian.Uint16(b[2:])), 4
		case 127:
			if len(b) < 10 {
				return out, "", b, nil
			}
			n, head = int(binary.BigEndian.Uint64(b[2:])), 10
		}
		if len(b) < head+n {
			break
		}
		if b[0] == 0x81 {
			var m message
			if err := json.Unmarshal(b[head:head+n], &m); err != nil {
				return nil, "", nil, fmt.Errorf("frame %q: %w", b[head:head+n], err)
			}
			out = append(out, m)
		} else if b[0] != 0x88 {
			return nil, "", nil, fmt.Errorf("opcode %#x", b[0])
		}
		b = b[head+n:]
	}
	return out, "", b, nil
}

// splitEvents reads server-sent events whose data is a message or an array.
func splitEvents(b []byte) (out []message, id string, rest []byte, err error) {
	for {
		event, after, found := bytes.Cut(b, []byte("\n\n"))
		if !found {
			return out, id, b, nil
		}
		b = after
		for line := range strings.SplitSeq(string(event), "\n") {
			field, value, _ := strings.Cut(line, ": ")
			switch field {
			case "id":
				id = value
			case "data":
				list, err := decodeData([]byte(value))
				if err != nil {
					return nil, "", nil, err
				}
				out = append(out, list...)
			default:
				return nil, "", nil, fmt.Errorf("line %q", line)
			}
		}
	}
}

func decodeData(data []byte) ([]message, error) {
	if data[0] != '[' {
		var m message
		err := json.Unmarshal(data, &m)
		return []message{m}, err
	}
	var list []message
	if err := json.Unmarshal(data, &list); err != nil {
		return nil, fmt.Errorf("event %q: %w", data, err)
	}
	return list, nil
}

// splitAnswer reads a poll's answer.
func splitAnswer(b []byte) (out []message, id string, rest []byte, err error) {
	var answer struct {
		Messages []message
		Next     string
	}
	if json.Unmarshal(b, &answer) != nil {
		return nil, "", b, nil
	}
	return answer.Messages, answer.Next, nil, nil
}

// tiling checks what a client gets: ranges that tile, and sums.
type tiling struct {
	known  map[string]*[feed.Channels]bool
	last   map[string]*[feed.Channels]uint64
	from   map[string]uint64
	sums   map[string]charts.Bar
	gaps   int
	finals map[string]int64 // newest final bar, by symbol and interval
}

func newTiling() *tiling {
	return &tiling{
		known: map[string]*[feed.Channels]bool{}, last: map[string]*[feed.Channels]uint64{},
		from: map[string]uint64{}, sums: map[string]charts.Bar{}, finals: map[string]int64{},
	}
}

func (t *tiling) of(sym string) (*[feed.Channels]bool, *[feed.Channels]uint64) {
	if t.known[sym] == nil {
		t.known[sym], t.last[sym] = new([feed.Channels]bool), new([feed.Channels]uint64)
	}
	return t.known[sym], t.last[sym]
}

func (t *tiling) take(m *message) error {
	switch m.Type {
	case "trade":
		return t.ranged(m, feed.Trades)
	case "agg":
		return t.ranged(m, feed.Trades)
	case "quote":
		return t.ranged(m, feed.Quotes)
	case "status", "cancel", "correction":
		return t.ranged(m, feed.Statuses)
	case "gap":
		t.gaps++
		return t.gap(m)
	case "snapshot":
		t.begin(m)
	case "bar":
		return t.bar(m)
	}
	return nil
}

func (t *tiling) begin(m *message) {
	known, last := t.of(m.Sym)
	for c, part := range []*message{m.Trade, m.Quote, m.Status} {
		known[c], last[c] = true, 0
		if part != nil {
			last[c] = part.Seq
		}
	}
	t.from[m.Sym], t.sums[m.Sym] = last[feed.Trades], charts.Bar{}
}

func (t *tiling) ranged(m *message, c feed.Channel) error {
	known, last := t.of(m.Sym)
	first := m.Seq
	if m.First != nil {
		first = *m.First
	}
	if known[c] && first != last[c]+1 {
		return fmt.Errorf("%s %s: had %d, got %d..%d", m.Sym, c, last[c], first, m.Seq)
	}
	if !known[c] && c == feed.Trades {
		t.from[m.Sym] = first - 1
	}
	known[c], last[c] = true, m.Seq
	if c == feed.Trades {
		bar, err := m.bar()
		if err != nil {
			return err
		}
		t.sums[m.Sym] = charts.Merge(t.sums[m.Sym], bar)
	}
	return nil
}

func (t *tiling) gap(m *message) error {
	known, last := t.of(m.Sym)
	for c := range feed.Channels {
		if c.String() != m.Channel {
			continue
		}
		if m.First != nil && known[c] && *m.First != last[c]+1 {
			return fmt.Errorf("%s %s: had %d, gap from %d", m.Sym, c, last[c], *m.First)
		}
		known[c], last[c] = true, max(last[c], m.Seq)
	}
	return nil
}

func (t *tiling) bar(m *message) error {
	key := m.Sym + m.I
	if m.TS < t.finals[key] || (m.TS == t.finals[key]) {
		return fmt.Errorf("%s %s: bar of %d after the final one of %d", m.Sym, m.I, m.TS, t.finals[key])
	}
	if m.Final {
		t.finals[key] = m.TS
	}
	return nil
}

// bar returns the merge that a trade or agg stands for.
func (m *message) bar() (charts.Bar, error) {
	price := func(n json.Number) feed.Price {
		v, _ := feed.ParseFixed(n.String(), 2)
		return feed.Price(v)
	}
	size, _ := strconv.ParseInt(m.V.String(), 10, 64)
	if m.Type == "trade" {
		return charts.FromTrade(&feed.Tick{Seq: m.Seq, Price: price(m.P), Size: feed.Size(size)}), nil
	}
	d, err := strconv.ParseUint(m.D, 16, 64)
	to, _ := feed.ParseFixed(m.To, 2)
	return charts.Bar{
		First: *m.First, Seq: m.Seq, Count: m.N, Open: price(m.O), High: price(m.H), Low: price(m.L), Close: price(m.C),
		Volume: feed.Size(size), Digest: d, Turnover: charts.Turnover{Lo: uint64(to)},
	}, err
}
