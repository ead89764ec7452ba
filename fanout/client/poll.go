package client

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// quickPause keeps a node that answers long polls at once, with nothing, from
// being asked without end.
const quickPause = 250 * time.Millisecond

// polls asks for what is new, over and over. Each answer says where the next
// one begins.
func (s *session) polls(wait time.Duration) error {
	for {
		began := time.Now()
		n, err := s.poll(wait)
		if err != nil {
			return err
		}
		switch {
		case wait == 0:
			pause(s.ctx, s.c.opt.PollInterval)
		case n == 0 && time.Since(began) < min(wait, time.Second)/2:
			pause(s.ctx, quickPause)
		}
		if err := context.Cause(s.ctx); err != nil {
			return err
		}
	}
}

// poll takes one answer and returns how many messages it had.
func (s *session) poll(wait time.Duration) (int, error) {
	resp, err := s.ask(wait)
	if err != nil {
		return 0, err
	}
	if s.buf, err = readBody(s.buf, resp); err != nil {
		return 0, err
	}
	var next string
	s.batch, next, err = parsePoll(s.batch[:0], s.buf)
	if err != nil {
		return 0, &garbledError{err}
	}
	if err := s.takeAll(s.batch); err != nil {
		return 0, err
	}
	s.answered()
	s.c.setCursor(next)
	return len(s.batch), nil
}

// ask makes a poll's request. Only in a body there is room to say since, which
// is needed after a connection that broke between two cursors.
func (s *session) ask(wait time.Duration) (*http.Response, error) {
	how := url.Values{"wait": {strconv.Itoa(int((wait + time.Second - 1) / time.Second))}}
	if n := s.c.opt.Limit; n > 0 {
		how.Set("limit", strconv.Itoa(n))
	}
	if s.c.ahead() {
		cmd := s.c.wanted()
		cmd.Slow, cmd.MaxRate, cmd.MaxBytes = "", 0, 0 // as in a query
		body, err := json.Marshal(cmd)
		if err != nil {
			return nil, err
		}
		header := http.Header{"Content-Type": {"application/json"}}
		return s.request(http.MethodPost, "v1/poll", how, header, body, wait)
	}
	q, cursor := s.query(true)
	maps.Copy(q, how)
	if cursor != "" {
		q.Set("cursor", cursor)
	}
	return s.get("v1/poll", q, nil, wait)
}

// answered notes that a poll was answered.
func (s *session) answered() {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	s.c.wishes.served(true)
	if !s.progress { // an answer without a message is worth as much as one
		s.progress = true
		s.c.stats.Connects++
	}
}

func (c *Client) ahead() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.mark.ahead
}

// parsePoll appends the messages of a poll's answer to dst, which are parts of
// body, and returns the cursor of the next poll.
func parsePoll(dst [][]byte, body []byte) (messages [][]byte, next string, err error) {
	s := scanner{b: body}
	if s.open('{') {
		for n := 0; s.more('}', n); n++ {
			key := string(s.key())
			span := s.value(1)
			if s.bad {
				break
			}
			switch {
			case key == "messages" && span[0] == '[':
				dst, err = elements(dst, span)
			case key == "next" && span[0] == '"':
				next, err = text(span)
			}
			if err != nil {
				return dst, "", err
			}
		}
		s.end()
	}
	if err := s.err(); err != nil {
		return dst, "", err
	}
	if next == "" {
		return dst, "", errors.New(`a poll's answer has no "next"`)
	}
	return dst, next, nil
}
