package server

import (
	"strconv"
	"time"
)

// parseTime reads an instant as parameters give it: RFC 3339, a time ago as
// "-10m", "now", or whole microseconds since 1970 as messages have them. It
// returns ns UTC.
func parseTime(name, text string) (int64, error) {
	if text == "now" {
		return time.Now().UnixNano(), nil
	}
	if t, err := time.Parse(time.RFC3339Nano, text); err == nil {
		if y := t.Year(); y < 1970 || y > 2200 {
			return 0, badRequest("%s is %q, which is too far away", name, text)
		}
		return t.UnixNano(), nil
	}
	if d, err := time.ParseDuration(text); err == nil && text[0] == '-' {
		return time.Now().Add(d).UnixNano(), nil
	}
	const most = 1 << 52 // µs
	if us, err := strconv.ParseInt(text, 10, 64); err == nil && us >= 0 && us < most {
		return us * 1000, nil
	}
	return 0, badRequest("%s is %q, must be a time as 2026-01-02T15:04:05Z, a time ago as -10m, or microseconds since 1970", name, clip(text))
}
