package client

// fields are the texts of a message's fields, nil where it has none or null.
// They are parts of the message's text.
type fields struct {
	typ, sym, seq, first, ts, t0   []byte
	p, v, side                     []byte
	bp, bv, ap, av                 []byte
	n, o, h, l, c, to, d           []byte
	i, final, rev                  []byte
	state, reason, ref, old, newer []byte
	trade, quote, status, day      []byte
	channel, tape, cursor, id      []byte
	node, heartbeat, maxSymbols    []byte
	symbols, channels, resolution  []byte
	trades, quotes, at, behind     []byte
	code, message, retry           []byte
}

// split finds the fields of a JSON object. All of it must be JSON; of a field
// that comes twice the last counts.
func (f *fields) split(raw []byte) error {
	s := scanner{b: raw}
	if s.open('{') {
		for n := 0; s.more('}', n); n++ {
			key := s.key()
			span := s.value(1)
			if s.bad {
				break
			}
			if span[0] == 'n' {
				span = nil // null says nothing
			}
			if slot := f.slot(key); slot != nil {
				*slot = span
			}
		}
		s.end()
	}
	return s.err()
}

// slot returns where the field of that name belongs, nil if it is not known.
func (f *fields) slot(key []byte) *[]byte {
	if len(key) <= 2 {
		return f.short(key)
	}
	switch string(key) {
	case "type":
		return &f.typ
	case "sym":
		return &f.sym
	case "seq":
		return &f.seq
	case "first":
		return &f.first
	case "side":
		return &f.side
	case "final":
		return &f.final
	case "rev":
		return &f.rev
	case "cursor":
		return &f.cursor
	}
	return f.rare(key)
}

func (f *fields) short(key []byte) *[]byte {
	switch string(key) {
	case "ts":
		return &f.ts
	case "t0":
		return &f.t0
	case "p":
		return &f.p
	case "v":
		return &f.v
	case "bp":
		return &f.bp
	case "bv":
		return &f.bv
	case "ap":
		return &f.ap
	case "av":
		return &f.av
	case "n":
		return &f.n
	case "o":
		return &f.o
	case "h":
		return &f.h
	case "l":
		return &f.l
	case "c":
		return &f.c
	case "to":
		return &f.to
	case "d":
		return &f.d
	case "i":
		return &f.i
	case "id":
		return &f.id
	case "at":
		return &f.at
	}
	return nil
}

func (f *fields) rare(key []byte) *[]byte {
	switch string(key) {
	case "state":
		return &f.state
	case "reason":
		return &f.reason
	case "ref":
		return &f.ref
	case "old":
		return &f.old
	case "new":
		return &f.newer
	case "trade":
		return &f.trade
	case "quote":
		return &f.quote
	case "status":
		return &f.status
	case "day":
		return &f.day
	case "channel":
		return &f.channel
	case "tape":
		return &f.tape
	case "node":
		return &f.node
	case "heartbeat_ms":
		return &f.heartbeat
	case "max_symbols":
		return &f.maxSymbols
	case "symbols":
		return &f.symbols
	case "channels":
		return &f.channels
	case "resolution":
		return &f.resolution
	case "trades":
		return &f.trades
	case "quotes":
		return &f.quotes
	case "behind_ms":
		return &f.behind
	case "code":
		return &f.code
	case "message":
		return &f.message
	case "retry_ms":
		return &f.retry
	}
	return nil
}
