package fanout_test

import (
	"strings"
	"testing"

	"github.com/tapecast/tapecast/fanout"
	"github.com/tapecast/tapecast/feed"
)

// TestCursorGolden keeps cursors that clients hold valid.
func TestCursorGolden(t *testing.T) {
	c := fanout.Cursor{Tape: 0x0123456789abcdef, Place: fanout.Place{Position: feed.Position{0, 1, 127, 128, 1 << 40, 5, 6, 7}}}
	const golden = "AQEjRWeJq83vAQgAAX-AAYCAgICAIAUGB1GCypY"
	if got := c.String(); got != golden {
		t.Errorf("cursor %q, want %q", got, golden)
	}
	back, err := fanout.ParseCursor(golden)
	if err != nil || back.Tape != c.Tape || !back.Position.Covers(c.Position) || !c.Position.Covers(back.Position) {
		t.Errorf("read back %+v, %v", back, err)
	}
}

func TestGarbledCursorsAreRefused(t *testing.T) {
	good := fanout.Cursor{Tape: 7, Place: fanout.Place{Position: feed.Position{1, 2, 3}}}.String()
	for i := range good {
		bad := []byte(good)
		bad[i] ^= 1
		if _, err := fanout.ParseCursor(string(bad)); err == nil && i < len(good)-1 {
			t.Errorf("byte %d changed: accepted", i)
		}
	}
	for _, s := range []string{"", "x", "====", strings.Repeat("A", 2000)} {
		if _, err := fanout.ParseCursor(s); err == nil {
			t.Errorf("%.20q: accepted", s)
		}
	}
}

func FuzzParseCursor(f *testing.F) {
	f.Add(fanout.Cursor{Tape: 7, Place: fanout.Place{Position: feed.Position{1, 2, 3}}}.String())
	f.Add("")
	f.Fuzz(func(t *testing.T, s string) {
		c, err := fanout.ParseCursor(s)
		if err != nil {
			return
		}
		again, err := fanout.ParseCursor(c.String())
		if err != nil || again.String() != c.String() {
			t.Errorf("%q: read as %+v, which does not come back", s, c)
		}
	})
}
