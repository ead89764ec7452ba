package client

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// maxError bounds what is read of a refusal.
const maxError = 64 << 10

// get makes a request to the node. Its answer is a success, and each read of its
// body is watched; the caller closes it. extra is how much longer than two
// heartbeats the node may take to begin its answer.
func (s *session) get(path string, query url.Values, header http.Header, extra time.Duration) (*http.Response, error) {
	return s.request(http.MethodGet, path, query, header, nil, extra)
}

// request is get with another method and a body.
func (s *session) request(method, path string, query url.Values, header http.Header, body []byte, extra time.Duration) (*http.Response, error) {
	u := s.base.JoinPath(path)
	u.RawQuery = query.Encode()
	req, err := http.NewRequestWithContext(s.ctx, method, u.String(), bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	maps.Copy(req.Header, s.c.opt.Header)
	maps.Copy(req.Header, header)
	s.watch.start(extra)
	resp, err := s.c.http.Do(req)
	s.watch.stop()
	if err != nil {
		return nil, err
	}
	resp.Body = watchedReader{resp.Body, &s.watch}
	if resp.StatusCode == http.StatusOK || resp.StatusCode == http.StatusNoContent {
		return resp, nil
	}
	defer resp.Body.Close()
	return nil, refusal(resp)
}

// readBody closes an answer and returns its body, in buf if that is large
// enough.
func readBody(buf []byte, resp *http.Response) ([]byte, error) {
	defer resp.Body.Close()
	buf, err := readAll(buf[:0], resp.Body, maxBody)
	if errors.Is(err, errTooLong) {
		return buf, &garbledError{fmt.Errorf("the answer is %w of %d bytes", err, maxBody)}
	}
	return buf, err
}

const errTooLong = reason("longer than the bound")

// readAll appends all of r to buf, which may grow up to limit bytes.
func readAll(buf []byte, r io.Reader, limit int) ([]byte, error) {
	for {
		if len(buf) == cap(buf) {
			buf = append(buf, 0)[:len(buf)]
		}
		n, err := r.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		switch {
		case len(buf) > limit:
			return buf, errTooLong
		case errors.Is(err, io.EOF):
			return buf, nil
		case err != nil:
			return buf, err
		}
	}
}

// refusal reads what a node says with a status that is not a success.
func refusal(resp *http.Response) error {
	e := &RefusedError{Status: resp.StatusCode}
	if v, err := strconv.Atoi(resp.Header.Get("Retry-After")); err == nil && v > 0 {
		e.retryAfter = min(time.Duration(v), 60) * time.Second
	}
	if resp.Body == nil {
		return e
	}
	body, _ := io.ReadAll(io.LimitReader(resp.Body, maxError)) // what could be read says enough
	var in struct {
		Error struct {
			Code    string `json:"code"`
			Message string `json:"message"`
		} `json:"error"`
	}
	if json.Unmarshal(body, &in) == nil && in.Error.Code+in.Error.Message != "" {
		e.Code, e.Message = in.Error.Code, in.Error.Message
		return e
	}
	const enough = 200
	e.Message = strings.ToValidUTF8(strings.TrimSpace(string(body[:min(len(body), enough)])), "?")
	return e
}
