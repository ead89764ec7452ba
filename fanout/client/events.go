package client

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strconv"
	"time"
)

// event is one event of a text/event-stream. Its bytes are good until the next.
type event struct {
	data, id []byte
}

// eventReader reads a text/event-stream. Lines end with \n or \r\n. An event
// that the stream's end cuts off is discarded, as EventSource does.
type eventReader struct {
	r     *bufio.Reader
	limit int // of an event's bytes
	line  []byte
	data  []byte
	id    []byte // of the last event that had one
	named bool   // an event of another type than message
	retry time.Duration
}

func newEventReader(r io.Reader, limit int) *eventReader {
	return &eventReader{r: bufio.NewReaderSize(r, 32<<10), limit: limit}
}

// next returns the next event that has data.
func (e *eventReader) next() (event, error) {
	e.data, e.named = e.data[:0], false
	for {
		if err := e.readLine(); err != nil {
			return event{}, err
		}
		if len(e.line) > 0 {
			if err := e.field(); err != nil {
				return event{}, err
			}
			continue
		}
		if len(e.data) > 0 && !e.named {
			return event{data: e.data, id: e.id}, nil
		}
		e.data, e.named = e.data[:0], false
	}
}

// readLine reads a line into e.line, without its end.
func (e *eventReader) readLine() error {
	e.line = e.line[:0]
	for {
		part, err := e.r.ReadSlice('\n')
		e.line = append(e.line, part...)
		if len(e.line) > e.limit {
			return errTooLong
		}
		if errors.Is(err, bufio.ErrBufferFull) {
			continue
		}
		if err != nil {
			return err
		}
		e.line = bytes.TrimSuffix(e.line[:len(e.line)-1], []byte("\r"))
		return nil
	}
}

func (e *eventReader) field() error {
	name, value, _ := bytes.Cut(e.line, []byte(":"))
	value = bytes.TrimPrefix(value, []byte(" "))
	switch string(name) {
	case "data":
		if len(e.data) > 0 {
			e.data = append(e.data, '\n')
		}
		e.data = append(e.data, value...)
		if len(e.data) > e.limit {
			return errTooLong
		}
	case "id":
		if bytes.IndexByte(value, 0) < 0 {
			e.id = append(e.id[:0], value...)
		}
	case "event":
		e.named = len(value) > 0 && string(value) != "message"
	case "retry":
		if ms, err := strconv.ParseUint(string(value), 10, 31); err == nil {
			e.retry = time.Duration(ms) * time.Millisecond
		}
	}
	return nil
}

// events takes messages from a text/event-stream until it ends. Such a stream
// can't be told what to skip, so after a connection that broke between two
// cursors a poll comes first, which can, and whose answer ends at a cursor.
func (s *session) events() error {
	if s.c.ahead() {
		if _, err := s.poll(0); err != nil {
			return err
		}
	}
	q, cursor := s.query(false)
	header := http.Header{"Accept": {"text/event-stream"}, "Accept-Encoding": {"identity"}, "Cache-Control": {"no-store"}}
	if cursor != "" {
		header.Set("Last-Event-ID", cursor)
	}
	resp, err := s.get("v1/events", q, header, 0)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusNoContent {
		return errEnd
	}
	kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if kind != "text/event-stream" {
		return &garbledError{fmt.Errorf("the answer is of type %q, must be text/event-stream", kind)}
	}
	r := newEventReader(resp.Body, maxBody)
	for {
		ev, err := r.next()
		s.retry = min(r.retry, longestRetry)
		if errors.Is(err, errTooLong) {
			return &garbledError{fmt.Errorf("event: %w of %d bytes", err, maxBody)}
		}
		if err != nil {
			return err
		}
		if err := s.event(ev); err != nil {
			return err
		}
	}
}

// event takes what an event holds, one message or an array of them. Only behind
// all of them is its id where the client stands.
func (s *session) event(ev event) error {
	var err error
	s.batch = s.batch[:0]
	if ev.data[0] == '[' {
		s.batch, err = elements(s.batch, ev.data)
		if err != nil {
			return &garbledError{err}
		}
	} else {
		s.batch = append(s.batch, ev.data)
	}
	if err := s.takeAll(s.batch); err != nil {
		return err
	}
	if len(ev.id) > 0 {
		s.c.setCursor(string(ev.id))
	}
	return context.Cause(s.ctx)
}
