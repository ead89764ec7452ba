package client

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
)

// FuzzDecode holds the decoder against encoding/json: what is no JSON object is
// refused, and what is taken says what encoding/json reads.
func FuzzDecode(f *testing.F) {
	for _, s := range append(raw(newTape(20).entries), newTape(20).snapshots(10)...) {
		f.Add([]byte(s))
	}
	f.Add([]byte(`{"type":"agg","sym":"AAPL","first":1,"seq":2,"t0":1,"ts":2,"n":2,"o":1,"h":1,"l":1,"c":1,"v":1,"to":"1.00","d":"00000000000000ff"}`))
	f.Add([]byte(`{"type":"error","id":null,"code":"\ud83d\ude00","message":"\\","symbols":["A",""]}`))
	f.Add([]byte(`{"type":"gap","sym":"AAPL","channel":"trades","seq":18446744073709551615}`))
	f.Add([]byte(`{"type":"x","a":[[[[[[1.5e-7,true,false,null,{"":""}]]]]]]}`))
	symbols := testSymbols(f)
	f.Fuzz(func(t *testing.T, text []byte) {
		var m Message
		err := Decode(&m, text, symbols)
		var object map[string]json.RawMessage
		if jsonErr := json.Unmarshal(text, &object); err == nil && (jsonErr != nil || object == nil) {
			t.Fatalf("%q was taken, encoding/json says %v", text, jsonErr)
		} else if err != nil && strings.Contains(err.Error(), "not JSON") && jsonErr == nil && object != nil && !nested(text) {
			t.Fatalf("%q was refused: %v, encoding/json takes it", text, err)
		}
		if err != nil {
			return
		}
		if m.Ranged() && (m.Seq == 0 || m.First > m.Seq || m.Symbol == "") {
			t.Fatalf("%q has the range %d..%d of %q", text, m.First, m.Seq, m.Symbol)
		}
		var tiling Tiling
		tiling.Observe(&m)
		tiling.Observe(m.Clone())
	})
}

// nested reports whether the text may break other rules than JSON's own: depth,
// or parts that must be objects or lists.
func nested(text []byte) bool {
	return bytes.Count(text, []byte("[")) > 0 || bytes.Count(text, []byte("{")) > 1 ||
		bytes.ContainsAny(text, "\\") || bytes.Contains(text, []byte("symbols")) || bytes.Contains(text, []byte("channels")) ||
		bytes.Contains(text, []byte("trade\"")) || bytes.Contains(text, []byte("quote\"")) || bytes.Contains(text, []byte("status\"")) ||
		bytes.Contains(text, []byte("day\"")) || bytes.Contains(text, []byte("old\"")) || bytes.Contains(text, []byte("new\""))
}

// FuzzScanner holds the scanner against encoding/json's idea of what is JSON.
func FuzzScanner(f *testing.F) {
	for _, s := range []string{`{}`, `[1,-0.5e+3,"\u00e9\n",true,false,null,[],{"a":{}}]`, `01`, `"\x"`, "\"\n\"", `1.`, `-`, `[1,]`, `{"a":1,}`, `{"a" 1}`, ` 1 `, `nul`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		s := scanner{b: text}
		s.value(0)
		s.end()
		if depth := bytes.Count(text, []byte("[")) + bytes.Count(text, []byte("{")); depth >= maxDepth {
			return // refused or not, it must only not crash
		}
		if ok := s.err() == nil; ok != json.Valid(text) {
			t.Fatalf("%q is JSON: %v, encoding/json says %v", text, ok, !ok)
		}
	})
}

// FuzzEvents reads a stream in two ways: whole, and a byte at a time. No event
// is made up, none exceeds the bound.
func FuzzEvents(f *testing.F) {
	f.Add([]byte("id: 1\ndata: {}\n\nretry: 5\r\n: x\ndata:a\ndata: b\r\n\r\nevent: y\ndata: z\n\ndata: cut"))
	f.Add([]byte("data\n\ndata:\n\nid\ndata: \x00\n\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		const limit = 64
		collect := func(r io.Reader) (all []string, last error) {
			e := newEventReader(r, limit)
			for {
				ev, err := e.next()
				if err != nil {
					return all, err
				}
				if len(ev.data) == 0 || len(ev.data) > limit {
					t.Fatalf("an event of %d bytes", len(ev.data))
				}
				all = append(all, string(ev.id)+"|"+string(ev.data))
			}
		}
		whole, err := collect(bytes.NewReader(text))
		bytewise, err2 := collect(&slowReader{text})
		if strings.Join(whole, "\x01") != strings.Join(bytewise, "\x01") || !errors.Is(err, err2) {
			t.Fatalf("%q: %q, %v, but byte by byte %q, %v", text, whole, err, bytewise, err2)
		}
		if !errors.Is(err, io.EOF) && !errors.Is(err, errTooLong) {
			t.Fatalf("%q: %v", text, err)
		}
	})
}

type slowReader struct{ rest []byte }

func (r *slowReader) Read(p []byte) (int, error) {
	if len(r.rest) == 0 {
		return 0, io.EOF
	}
	n := copy(p, r.rest[:1])
	r.rest = r.rest[1:]
	return n, nil
}

// FuzzPoll holds the reader of a poll's answer against encoding/json.
func FuzzPoll(f *testing.F) {
	f.Add([]byte(`{"messages":[{"type":"at"},{}],"next":"c1"}`))
	f.Add([]byte(`{"next":"\u0041","messages":[],"x":{}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		messages, next, err := parsePoll(nil, text)
		if err != nil {
			return
		}
		if !json.Valid(text) || next == "" {
			t.Fatalf("%q was taken", text)
		}
		for _, m := range messages {
			if !json.Valid(m) {
				t.Fatalf("%q has the message %q", text, m)
			}
		}
	})
}
