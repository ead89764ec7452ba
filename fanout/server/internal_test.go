package server

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gofiber/fiber/v2"
)

func TestOrigins(t *testing.T) {
	for _, c := range []struct {
		list         string
		origin, host string
		want         bool
	}{
		{"", "http://node:8080", "node:8080", true},
		{"", "http://node", "node", true},
		{"", "http://node:80", "node", true},
		{"", "https://node", "node:443", true},
		{"", "https://node", "node", true}, // TLS is ended in front
		{"", "http://node:8081", "node:8080", false},
		{"", "http://NODE:8080", "node:8080", true},
		{"", "http://[::1]:8080", "[::1]:8080", true},
		{"", "http://evil.example", "node:8080", false},
		{"", "null", "node:8080", false},
		{"", "file://", "", false},
		{"", "http://node:8080/path", "node:8080", false},
		{"*", "https://any.example", "node", true},
		{"*", "null", "node", true},
		{"https://a.example", "https://a.example", "node", true},
		{"https://a.example", "http://a.example", "node", false},
		{"https://a.example", "https://a.example:8443", "node", false},
		{"https://a.example", "https://a.example.evil.example", "node", false},
		{"https://*.example", "https://a.b.example", "node", true},
		{"https://*.example", "https://example", "node", false},
		{"https://*.example", "https://evilexample", "node", false},
		{"http://localhost:*", "http://localhost:5173", "node", true},
		{"http://localhost:*", "https://localhost:5173", "node", false},
		{"http://x,https://y:9", "https://y:9", "node", true},
	} {
		o, err := parseOrigins(split(c.list))
		if err != nil {
			t.Fatal(err)
		}
		if got := o.allow(c.origin, c.host); got != c.want {
			t.Errorf("list %q, origin %q, host %q: %v", c.list, c.origin, c.host, got)
		}
	}
	for _, bad := range []string{"example.com", "ftp://x", "https://", "https://a/b", "https://a*.b", "https://*.*.b", "https://u@h"} {
		if _, err := parseOrigins([]string{bad}); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}

func TestParseTime(t *testing.T) {
	for text, want := range map[string]int64{
		"2026-01-02T03:04:05Z":        time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC).UnixNano(),
		"2026-01-02T03:04:05.5+01:00": time.Date(2026, 1, 2, 2, 4, 5, 5e8, time.UTC).UnixNano(),
		"1764000000123456":            1764000000123456000,
		"0":                           0,
	} {
		if got, err := parseTime("start", text); err != nil || got != want {
			t.Errorf("%s: %d %v, want %d", text, got, err, want)
		}
	}
	if got, err := parseTime("start", "-10m"); err != nil || time.Since(time.Unix(0, got)) < 10*time.Minute {
		t.Errorf("-10m: %d %v", got, err)
	}
	for _, bad := range []string{"", "10m", "yesterday", "-", "1e9", "-5", "99999999999999999999", "9999-01-01T00:00:00Z", "2026-01-02"} {
		if _, err := parseTime("start", bad); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}

// TestEventsOfADrainingNode asks a node that stops for events: EventSource gives
// up at an error status, so it is told to come back.
func TestEventsOfADrainingNode(t *testing.T) {
	s, err := New(Options{Node: "test"})
	if err != nil {
		t.Fatal(err)
	}
	close(s.drained)
	const cursor = "AQAAAAAAAAAHAQECi3CI4w"
	for id, want := range map[string]string{cursor: "\nid: " + cursor + "\n\n", "garbled": `"cursor":""}` + "\n\n"} {
		req := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/v1/events?symbols=AAPL", nil)
		req.Header.Set("Last-Event-ID", id)
		resp, err := s.app.Test(req)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		text := string(body)
		if err != nil || resp.StatusCode != 200 || !strings.HasPrefix(text, "retry: ") || !strings.Contains(text, `"code":"draining"`) || !strings.HasSuffix(text, want) {
			t.Errorf("%d %q: %v", resp.StatusCode, text, err)
		}
	}
}

// TestPanic checks that a mistake of ours fails one request, not the process.
func TestPanic(t *testing.T) {
	s, err := New(Options{})
	if err != nil {
		t.Fatal(err)
	}
	s.app.Get("/v1/oops", func(*fiber.Ctx) error { panic("oops") })
	resp, err := s.app.Test(httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/v1/oops", nil))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != 500 || !strings.Contains(string(body), `"internal"`) || strings.Contains(string(body), "oops") {
		t.Errorf("%d %s: %v", resp.StatusCode, body, err)
	}
}

// FuzzCommand checks that no text breaks the reading of commands, and that what
// is refused is refused in words.
func FuzzCommand(f *testing.F) {
	for _, s := range []string{
		`{"op":"subscribe","id":"g1","symbols":["AAPL","*"],"channels":["trades","bars:1m"],"cursor":"x","since":{"AAPL":{"trades":1310,"quotes":987}}}`,
		`{"op":"unsubscribe","symbols":["AAPL"]}`, `{"op":"ping","id":5}`, `[`, `null`, `"`, `{"since":{"A":{"":-1}}}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, msg []byte) {
		cmd, fail := readCommand(msg)
		if fail == nil {
			_, err := cmd.understand()
			if err == nil {
				return
			}
			fail = understand(err)
		}
		if fail.status < 400 || fail.status >= 500 || fail.code == "" || fail.message == "" {
			t.Errorf("%q: %+v", msg, fail)
		}
		if len(cmd.ID) > maxID {
			t.Errorf("an id of %d bytes", len(cmd.ID))
		}
	})
}

// FuzzQuery does the same for parameters.
func FuzzQuery(f *testing.F) {
	f.Add("AAPL,MSFT", "trades,bars:1m", "raw", "", "now", "5")
	f.Add("*", "", "1s", "abc", "", "-1")
	f.Fuzz(func(t *testing.T, symbols, channels, resolution, cursor, start, rate string) {
		values := map[string]string{
			"symbols": symbols, "channels": channels, "resolution": resolution, "cursor": cursor, "start": start, "max_rate": rate,
		}
		a, err := readAsk(func(name string) string { return values[name] })
		if err == nil {
			_, err = a.understand()
		}
		if err == nil {
			return
		}
		if fail := understand(err); fail.status != 400 || strings.TrimSpace(fail.message) == "" {
			t.Errorf("%v: %+v", values, fail)
		}
	})
}
