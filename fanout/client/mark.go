package client

import "github.com/tapecast/tapecast/feed"

// Seqs are the last seqs of a symbol, by channel; 0 is none.
type Seqs struct {
	Trades   uint64 `json:"trades,omitempty"`
	Quotes   uint64 `json:"quotes,omitempty"`
	Statuses uint64 `json:"statuses,omitempty"`
}

// Since says for every symbol what a client has.
type Since map[string]Seqs

// State is where a client stands. Cursor says where to read from, Since exactly
// what to skip. It can be kept as JSON.
type State struct {
	Cursor string `json:"cursor,omitempty"`
	Since  Since  `json:"since,omitempty"`
}

// mark is where a client stands, kept up with every message.
type mark struct {
	cursor string
	// ahead says that seqs are further than cursor, so that it alone would bring
	// some messages again.
	ahead bool
	seqs  map[string]*[feed.Channels]seqMark
	// connection counts the connections, so that duplicates at the start of one
	// can be told from others.
	connection uint32
}

type seqMark struct {
	last  uint64 // the last seq the client has
	known bool   // so last counts, even if it is 0
	// fresh is the connection on which something new came last.
	fresh uint32
}

func newMark(cursor string, since Since) mark {
	m := mark{cursor: cursor, ahead: len(since) > 0, seqs: make(map[string]*[feed.Channels]seqMark, len(since))}
	for symbol, s := range since {
		of := m.of(symbol)
		for c, last := range [feed.Channels]uint64{feed.Trades: s.Trades, feed.Quotes: s.Quotes, feed.Statuses: s.Statuses} {
			if last > 0 {
				of[c] = seqMark{last: last, known: true}
			}
		}
	}
	return m
}

func (m *mark) of(symbol string) *[feed.Channels]seqMark {
	s := m.seqs[symbol]
	if s == nil {
		s = new([feed.Channels]seqMark)
		m.seqs[symbol] = s
	}
	return s
}

// reset forgets everything: another tape begins.
func (m *mark) reset(cursor string) {
	m.move(cursor)
	clear(m.seqs)
}

// move notes a cursor that is where the client stands.
func (m *mark) move(cursor string) { m.cursor, m.ahead = cursor, false }

// verdict is what a range is to a client.
type verdict uint8

const (
	news    verdict = iota
	overlap         // some of it is there already
	known           // all of it is there already
	doubled         // the same, and no resume explains it
)

// judge says what a ranged message is to the client. A gap that lacks its first
// seq gets the one after the last.
func (m *mark) judge(msg *Message) verdict {
	s := &m.of(msg.Symbol)[msg.Channel]
	if msg.First == 0 && s.known {
		msg.First = min(s.last+1, msg.Seq)
	}
	switch {
	case !s.known || msg.First > s.last:
		return news
	case msg.Seq > s.last:
		return overlap
	case s.fresh == m.connection:
		return doubled
	default:
		return known
	}
}

// took notes that the handler has a message.
func (m *mark) took(msg *Message) {
	if msg.Ranged() {
		m.of(msg.Symbol)[msg.Channel] = seqMark{last: msg.Seq, known: true, fresh: m.connection}
		m.ahead = true
		return
	}
	if msg.Type != TypeSnapshot {
		return
	}
	of := m.of(msg.Symbol)
	for c, seq := range msg.starts() {
		if s := &of[c]; !s.known || seq > s.last {
			s.last, s.known = seq, true
		}
	}
}

func (m *mark) state() State {
	st := State{Cursor: m.cursor, Since: make(Since, len(m.seqs))}
	for symbol, s := range m.seqs {
		seqs := Seqs{Trades: s[feed.Trades].last, Quotes: s[feed.Quotes].last, Statuses: s[feed.Statuses].last}
		if seqs != (Seqs{}) {
			st.Since[symbol] = seqs
		}
	}
	return st
}
