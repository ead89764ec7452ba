package fanout

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"

	"github.com/tapecast/tapecast/feed"
)

// Place says what a client has of the tape: all that a level sends until
// everything before the position has been read. What the level had merged and not
// sent by then is still to come.
type Place struct {
	Position feed.Position
	Level    Level
}

// Cursor is a client's place on the tape in a form that it can carry to any node
// and transport.
type Cursor struct {
	Tape feed.TapeID
	Place
	// Also are other places up to which the client has everything: the ends of
	// levels that it had before, of which one may be beyond what the present one has
	// sent. Each is of another level.
	Also []Place
	// Trades is up to where the client has the trades besides, whose quotes are still
	// to come; nil: nowhere.
	Trades *Place
}

// The text of a cursor is base64url of: version, tape id (8 bytes, big endian), a
// byte, the number of lanes, their offsets (varints), and the CRC-32 (IEEE) of all
// that. In version 1, of raw ticks alone, the byte is 1. In version 2 it is the
// level, and what follows are other places, each with a byte that says which kind it
// is, its level, and by how much its offsets differ from the first ones (signed
// varints); a byte 0 ends them. A change needs a new version.
const (
	cursorRaw    = 1
	cursorPlaces = 2
	cursorGroups = 1
	maxCursor    = 1024 // characters
	maxLanes     = 1024
	endOfPlaces  = 0
	alsoPlace    = 1
	tradesPlace  = 2
)

var errCursor = errors.New("cursor is garbled: give back one exactly as it was received")

// Append appends the cursor's text. It does not allocate when dst has room.
func (c Cursor) Append(dst []byte) []byte {
	var room [512]byte
	version, level := byte(cursorPlaces), byte(c.Level)
	if c.raw() {
		version, level = cursorRaw, cursorGroups
	}
	raw := append(room[:0], version)
	raw = binary.BigEndian.AppendUint64(raw, uint64(c.Tape))
	raw = append(raw, level)
	raw = binary.AppendUvarint(raw, uint64(len(c.Position)))
	for _, offset := range c.Position {
		raw = binary.AppendUvarint(raw, uint64(offset))
	}
	if version == cursorPlaces {
		raw = c.appendPlaces(raw)
	}
	raw = binary.BigEndian.AppendUint32(raw, crc32.ChecksumIEEE(raw))
	return base64.RawURLEncoding.AppendEncode(dst, raw)
}

// raw reports whether version 1 can say it.
func (c *Cursor) raw() bool { return c.Level == Raw && len(c.Also) == 0 && c.Trades == nil }

func (c *Cursor) appendPlaces(raw []byte) []byte {
	for i := range c.Also {
		raw = c.appendPlace(raw, alsoPlace, &c.Also[i])
	}
	if c.Trades != nil {
		raw = c.appendPlace(raw, tradesPlace, c.Trades)
	}
	return append(raw, endOfPlaces)
}

func (c *Cursor) appendPlace(raw []byte, kind byte, p *Place) []byte {
	raw = append(raw, kind, byte(p.Level))
	for lane, offset := range p.Position {
		raw = binary.AppendVarint(raw, offset-c.Position[lane])
	}
	return raw
}

// String returns the cursor's text.
func (c Cursor) String() string { return string(c.Append(nil)) }

// ParseCursor reads a cursor's text. It says in a sentence what is wrong with one
// that was garbled or made by a newer version.
func ParseCursor(s string) (Cursor, error) {
	if len(s) > maxCursor {
		return Cursor{}, errCursor
	}
	raw, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil || len(raw) < 1+8+1+1+4 {
		return Cursor{}, errCursor
	}
	body, sum := raw[:len(raw)-4], raw[len(raw)-4:]
	if crc32.ChecksumIEEE(body) != binary.BigEndian.Uint32(sum) {
		return Cursor{}, errCursor
	}
	if body[0] == 0 || body[0] > cursorPlaces {
		return Cursor{}, fmt.Errorf("cursor version %d is unknown here: it is of another version of the server", body[0])
	}
	return readBody(body)
}

// readBody reads what the checksum covers.
func readBody(body []byte) (Cursor, error) {
	c := Cursor{Tape: feed.TapeID(binary.BigEndian.Uint64(body[1:]))}
	pos, rest, err := readPosition(body[10:])
	if err != nil {
		return Cursor{}, err
	}
	c.Position = pos
	switch {
	case body[0] == cursorRaw && body[9] == cursorGroups && len(rest) == 0:
		return c, nil
	case body[0] == cursorPlaces && Level(body[9]) < levels:
		c.Level = Level(body[9])
		return c, c.readPlaces(rest)
	default:
		return Cursor{}, errCursor
	}
}

// readPosition reads a position and returns what comes after it.
func readPosition(b []byte) (pos feed.Position, rest []byte, err error) {
	lanes, n := binary.Uvarint(b)
	if n <= 0 || lanes > maxLanes || lanes > uint64(len(b)) {
		return nil, nil, errCursor
	}
	b = b[n:]
	pos = make(feed.Position, lanes)
	for lane := range pos {
		v, n := binary.Uvarint(b)
		if n <= 0 || v > 1<<62 {
			return nil, nil, errCursor
		}
		pos[lane], b = int64(v), b[n:]
	}
	return pos, b, nil
}

// readPlaces reads the other places.
func (c *Cursor) readPlaces(b []byte) error {
	for len(c.Also) < int(levels) {
		if len(b) == 1 && b[0] == endOfPlaces {
			return nil
		}
		if len(b) < 2 || Level(b[1]) >= levels {
			return errCursor
		}
		kind, level := b[0], Level(b[1])
		pos, rest, err := c.readDifference(b[2:])
		if err != nil {
			return err
		}
		b = rest
		switch {
		case kind == alsoPlace && c.Trades == nil:
			c.Also = append(c.Also, Place{Position: pos, Level: level})
		case kind == tradesPlace && c.Trades == nil:
			c.Trades = &Place{Position: pos, Level: level}
		default:
			return errCursor
		}
	}
	return errCursor
}

// readDifference reads a position that is told by its difference to the first one.
func (c *Cursor) readDifference(b []byte) (pos feed.Position, rest []byte, err error) {
	pos = make(feed.Position, len(c.Position))
	for lane := range pos {
		v, n := binary.Varint(b)
		if n <= 0 || v > 1<<62 || v < -1<<62 || c.Position[lane]+v < 0 {
			return nil, nil, errCursor
		}
		pos[lane], b = c.Position[lane]+v, b[n:]
	}
	return pos, b, nil
}

// with returns the places of a client that has everything up to those in also, and
// up to p: of each level one, since the later of two has more.
func (p Place) with(also []Place) []Place {
	kept := make([]Place, 0, len(also)+1)
	for _, a := range also {
		if a.Level == p.Level {
			p = p.later(a)
		} else {
			kept = append(kept, a)
		}
	}
	return append(kept, p)
}

// later returns the later one of two places of a level, lane by lane.
func (p Place) later(other Place) Place {
	pos := p.Position.Clone()
	for lane := range pos {
		pos[lane] = max(pos[lane], other.Position[lane])
	}
	return Place{Position: pos, Level: p.Level}
}
