package bench

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
)

// Bounds on what a server may send at once.
const (
	maxHeader = 16 << 10 // bytes of an answer's head
	maxTail   = 16 << 20 // bytes of one message, line or answer
)

// reader makes messages of what clients receive, checks and counts them. All
// clients share it; only the loop uses it.
type reader struct {
	target  *target
	names   []string
	index   map[string]int32
	each    int
	field   []byte // "ts": of a foreign server's JSON; nil: native messages
	tiles   tiles
	tiling  Tiling
	tallies [sorts]*tally
	heads   []uint64 // the newest seq that anyone got, plus 1, by symbol and channel
	checks  map[int32]*checker
	m       message

	measuring bool
	delivered uint64 // ticks, ever
}

func newReader(t *target, names []string) *reader {
	o := t.options
	r := &reader{target: t, names: names, index: make(map[string]int32, len(names)), each: o.Each, checks: map[int32]*checker{}}
	for i, name := range names {
		r.index[name] = int32(i)
	}
	if r.each == All || r.each > len(names) {
		r.each = len(names)
	}
	if o.PeerField != "" {
		r.field = []byte(`"` + o.PeerField + `":`)
	}
	for i := range r.tallies {
		r.tallies[i] = newTally()
	}
	r.tiles = make(tiles, o.Clients*r.each*channels)
	r.heads = make([]uint64, len(names)*channels)
	return r
}

// take reads what a client has received and returns how much of it is done with.
// What it must answer is in its out. An error ends the connection.
func (r *reader) take(c *conn, b []byte, now int64) (used int, err error) {
	if r.measuring && c.phase == streaming {
		r.tallies[c.sort].bytes += uint64(len(b) - len(c.tail))
	}
	if c.phase == greeting && r.target.form != polls {
		if used, err = r.greet(c, b); used == 0 || err != nil {
			return used, err
		}
	}
	var n int
	switch r.target.form {
	case frames:
		n, err = r.frames(c, b[used:], now)
	case events:
		n, err = r.lines(c, b[used:], now)
	default:
		n, err = r.answers(c, b[used:], now)
	}
	return used + n, err
}

// greet reads the head of the answer to a handshake.
func (r *reader) greet(c *conn, b []byte) (int, error) {
	head, n, err := headOf(b)
	if n == 0 || err != nil {
		return 0, err
	}
	want := " 200 "
	if r.target.form == frames {
		want = " 101 "
	}
	line, _, _ := bytes.Cut(head, []byte("\r\n"))
	if !bytes.Contains(line, []byte(want)) {
		return 0, fmt.Errorf("the server answered the handshake with %q: %.300q", line, b[n:])
	}
	c.phase = streaming
	if r.target.form == events {
		if bytes.Contains(bytes.ToLower(head), []byte("transfer-encoding: chunked")) {
			return 0, errors.New("the server sends its event stream in chunks, which this client does not read")
		}
		return n, nil
	}
	if !bytes.Contains(head, []byte(accept)) {
		return 0, errors.New("the server's Sec-WebSocket-Accept is wrong")
	}
	if r.target.native {
		c.phase = subscribing
		c.out = append(c.out, r.target.command(r.watched(c), c.cursor, r.have(c))...)
	} else {
		c.out = append(c.out, r.target.commands(r.watched(c))...)
	}
	return n, nil
}

// headOf returns the head of an HTTP answer and its length; 0: it is not there yet.
func headOf(b []byte) ([]byte, int, error) {
	i := bytes.Index(b, []byte("\r\n\r\n"))
	switch {
	case i < 0 && len(b) > maxHeader:
		return nil, 0, errors.New("the server's answer has no end to its headers")
	case i < 0:
		return nil, 0, nil
	}
	return b[:i+2], i + 4, nil
}

// frames reads WebSocket frames. Of one that is not whole yet, the messages that
// are whole are read already: some servers put seconds of them into one.
func (r *reader) frames(c *conn, b []byte, now int64) (used int, err error) {
	for {
		if !c.inside {
			f, n, err := readFrame(b[used:])
			if n == 0 || err != nil {
				return used, err
			}
			used += n
			c.inside, c.frame = true, f
		}
		payload := b[used:]
		whole := uint64(len(payload)) >= c.frame.size
		if whole {
			payload = payload[:c.frame.size]
		}
		switch {
		case c.frame.control() && !whole, c.check && !whole:
			return used, nil
		case c.frame.control():
			err = control(c, payload)
		default:
			var n int
			n, err = r.scan(c, payload, whole, now)
			payload = payload[:n]
		}
		used += len(payload)
		c.frame.size -= uint64(len(payload))
		if c.inside = !whole; !whole || err != nil {
			return used, err
		}
	}
}

// control answers pings; a close is the end.
func control(c *conn, payload []byte) error {
	switch c.frame.op {
	case opPing:
		c.out = appendFrame(c.out, opPing+1, payload)
	case opClose:
		code := 1005 // RFC 6455: none was given
		if len(payload) >= 2 {
			code = int(payload[0])<<8 | int(payload[1])
			payload = payload[2:]
		}
		return fmt.Errorf("closed by the server with %d %.100s", code, payload)
	}
	return nil
}

// lines reads an event stream.
func (r *reader) lines(c *conn, b []byte, now int64) (used int, err error) {
	if c.sort == reconnecting {
		// Its connection may be cut anywhere: an event counts when it is whole, so
		// that its data and its id stand or fall together.
		b = b[:bytes.LastIndex(b, []byte("\n\n"))+1]
	}
	for {
		i := bytes.IndexByte(b[used:], '\n')
		if i < 0 {
			return used, nil
		}
		line := b[used : used+i]
		used += i + 1
		if data, ok := bytes.CutPrefix(line, []byte("data:")); ok {
			if _, err = r.scan(c, data, true, now); err != nil {
				return used, err
			}
		} else if id, ok := bytes.CutPrefix(line, []byte("id:")); ok && c.sort == reconnecting {
			c.cursor = string(bytes.TrimSpace(id))
		}
	}
}

// answers reads the answers to polls. The next request is the loop's to make.
func (r *reader) answers(c *conn, b []byte, now int64) (int, error) {
	head, n, err := headOf(b)
	if n == 0 || err != nil {
		return 0, err
	}
	line, _, _ := bytes.Cut(head, []byte("\r\n"))
	if !bytes.Contains(line, []byte(" 200 ")) {
		return 0, fmt.Errorf("the server answered a poll with %q: %.300q", line, b[n:])
	}
	size, err := contentLength(head)
	if err != nil || len(b) < n+size {
		return 0, err
	}
	body := b[n : n+size]
	if _, err := r.scan(c, body, true, now); err != nil {
		return 0, err
	}
	c.phase, c.cursor = streaming, value(body[bytes.LastIndexByte(body, ']')+1:], "next")
	if c.cursor == "" {
		return 0, fmt.Errorf("the answer to a poll has no cursor: %.300q", body)
	}
	return n + size, nil
}

func contentLength(head []byte) (int, error) {
	for line := range bytes.SplitSeq(head, []byte("\r\n")) {
		name, text, _ := bytes.Cut(line, []byte(":"))
		if !bytes.EqualFold(name, []byte("content-length")) {
			continue
		}
		n, err := strconv.Atoi(string(bytes.TrimSpace(text)))
		if err != nil || n < 0 || n > maxTail {
			return 0, fmt.Errorf("the answer to a poll says that it has %q bytes", text)
		}
		return n, nil
	}
	return 0, errors.New("the answer to a poll does not say its length")
}

// watched returns the symbols of a client.
func (r *reader) watched(c *conn) []string { return watched(r.names, int(c.id), r.target.options.Each) }

// have returns what a client has of each of its symbols.
func (r *reader) have(c *conn) []since {
	if c.cursor == "" {
		return nil
	}
	var list []since
	for slot, symbol := range r.watched(c) {
		list = append(list, since{symbol, r.tile(c, slot)})
	}
	return list
}

// tile returns what must come next of a client's symbol, by channel.
func (r *reader) tile(c *conn, slot int) []uint64 {
	at := (int(c.id)*r.each + slot) * channels
	return r.tiles[at : at+channels : at+channels]
}
