package bench

import "bytes"

// kind says what a message is, as far as a generator cares.
type kind uint8

const (
	other kind = iota // of no interest
	trade
	quote
	agg
	note // status, correction or cancel
	gap
	snapshot
	subscribed
	failed // error
	bye
)

// The channels whose seqs are checked, in the order of package feed.
const (
	trades = iota
	quotes
	statuses
	channels
)

// begin is how every message of the native protocol begins. It can't stand
// within one: quotation marks in strings are escaped.
const begin = `{"type":"`

// message is what the scanner reads of a message: its range and its times. It
// refers to the bytes that it was read from.
type message struct {
	kind       kind
	channel    uint8
	sym        []byte
	first, seq uint64 // first is 0 where it is not said
	t0, ts     int64  // µs UTC; t0 is 0 but in an agg
}

// ranged reports whether the message covers a range of seqs.
func (m *message) ranged() bool { return m.kind >= trade && m.kind <= gap }

// ticks is how many ticks the message stands for.
func (m *message) ticks() uint64 {
	if m.kind == gap || m.first == 0 || m.first > m.seq {
		return 1
	}
	return m.seq - m.first + 1
}

// read reads the message that b begins with, up to what is needed of it, and
// returns how far that is; 0: b ends too early. Fields are found by their bytes
// and nothing is decoded: a message that is not as the protocol says ends with
// seq 0.
func (m *message) read(b []byte) int {
	*m = message{}
	i := len(begin)
	name, i := text(b, i)
	if i == 0 {
		return 0
	}
	m.name(name)
	if !m.ranged() {
		return i
	}
	for m.seq == 0 || m.ts == 0 && m.kind != gap {
		var key []byte
		switch {
		case i < len(b) && b[i] != ',', i+1 < len(b) && b[i+1] != '"':
			m.seq = 0
			return i
		case i+2 > len(b):
			return 0
		}
		if key, i = text(b, i+2); i == 0 {
			return 0
		}
		if i = m.field(key, b, i+1); i == 0 {
			return 0
		}
	}
	return i
}

// text returns what is up to the next quotation mark, and the place behind that.
func text(b []byte, i int) ([]byte, int) {
	for j := i; j < len(b); j++ {
		if b[j] == '"' {
			return b[i:j], j + 1
		}
	}
	return nil, 0
}

func (m *message) name(name []byte) {
	switch string(name) {
	case "trade":
		m.kind = trade
	case "quote":
		m.kind, m.channel = quote, quotes
	case "agg":
		m.kind = agg
	case "status", "correction", "cancel":
		m.kind, m.channel = note, statuses
	case "gap":
		m.kind = gap
	case "snapshot":
		m.kind = snapshot
	case "subscribed":
		m.kind = subscribed
	case "error":
		m.kind = failed
	case "bye":
		m.kind = bye
	}
}

// field reads the value at i and returns the place behind it.
func (m *message) field(key, b []byte, i int) int {
	if i >= len(b) {
		return 0
	}
	if b[i] == '"' {
		value, end := text(b, i+1)
		switch string(key) {
		case "sym":
			m.sym = value
		case "channel":
			m.channel = channelOf(value)
		}
		return end
	}
	v, end := number(b, i)
	switch string(key) {
	case "seq":
		m.seq = v
	case "first":
		m.first = v
	case "ts":
		m.ts = int64(v)
	case "t0":
		m.t0 = int64(v)
	}
	return end
}

func channelOf(name []byte) uint8 {
	switch string(name) {
	case "quotes":
		return quotes
	case "statuses":
		return statuses
	default:
		return trades
	}
}

// number reads digits and skips what else belongs to the value; 0: b ends there.
func number(b []byte, i int) (v uint64, end int) {
	for ; i < len(b); i++ {
		d := b[i] - '0'
		if d > 9 {
			break
		}
		v = v*10 + uint64(d)
	}
	for ; i < len(b); i++ {
		if b[i] == ',' || b[i] == '}' {
			return v, i
		}
	}
	return 0, 0
}

// starts reads where a snapshot says that its symbol stands: the last seq of each
// channel, 0 where there was nothing yet.
func starts(b []byte) (sym []byte, last [channels]uint64) {
	if i := bytes.Index(b, []byte(`"sym":"`)); i >= 0 {
		sym, _ = text(b, i+len(`"sym":"`))
	}
	for c, part := range [channels]string{trades: `"trade":{"seq":`, quotes: `"quote":{"seq":`, statuses: `"status":{"seq":`} {
		if i := bytes.Index(b, []byte(part)); i >= 0 {
			last[c], _ = number(b, i+len(part))
		}
	}
	return sym, last
}

// value returns the text of a field with a string as its value, "" if there is
// none.
func value(b []byte, key string) string {
	i := bytes.Index(b, []byte(`"`+key+`":"`))
	if i < 0 {
		return ""
	}
	v, _ := text(b, i+len(key)+4)
	return string(v)
}
