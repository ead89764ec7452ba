package fanout

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"

	"github.com/tapecast/tapecast/feed"
)

// Cursor is a client's place on the tape in a form that it can carry to any node
// and transport.
type Cursor struct {
	Tape     feed.TapeID
	Position feed.Position
}

// The text of a cursor is base64url of: version, tape id (8 bytes, big endian),
// the number of groups (1), the number of lanes, their offsets (varints), and
// the CRC-32 (IEEE) of all that. A change of it needs a new version.
const (
	cursorVersion = 1
	cursorGroups  = 1
	maxCursor     = 1024 // characters
	maxLanes      = 1024
)

var errCursor = errors.New("cursor is garbled: give back one exactly as it was received")

// Append appends the cursor's text. It does not allocate when dst has room.
func (c Cursor) Append(dst []byte) []byte {
	var room [160]byte
	raw := append(room[:0], cursorVersion)
	raw = binary.BigEndian.AppendUint64(raw, uint64(c.Tape))
	raw = append(raw, cursorGroups)
	raw = binary.AppendUvarint(raw, uint64(len(c.Position)))
	for _, offset := range c.Position {
		raw = binary.AppendUvarint(raw, uint64(offset))
	}
	raw = binary.BigEndian.AppendUint32(raw, crc32.ChecksumIEEE(raw))
	return base64.RawURLEncoding.AppendEncode(dst, raw)
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
	if body[0] != cursorVersion || body[9] != cursorGroups {
		return Cursor{}, fmt.Errorf("cursor version %d is unknown here: it is of another version of the server", body[0])
	}
	c := Cursor{Tape: feed.TapeID(binary.BigEndian.Uint64(body[1:]))}
	c.Position, err = readPosition(body[10:])
	return c, err
}

func readPosition(b []byte) (feed.Position, error) {
	lanes, n := binary.Uvarint(b)
	if n <= 0 || lanes > maxLanes {
		return nil, errCursor
	}
	b = b[n:]
	pos := make(feed.Position, lanes)
	for lane := range pos {
		v, n := binary.Uvarint(b)
		if n <= 0 || v > 1<<62 {
			return nil, errCursor
		}
		pos[lane], b = int64(v), b[n:]
	}
	if len(b) != 0 {
		return nil, errCursor
	}
	return pos, nil
}
