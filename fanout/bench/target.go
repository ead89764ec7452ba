package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/tapecast/tapecast/fanout/client"
)

// form is how a server's messages are framed.
type form uint8

const (
	frames form = iota // WebSocket
	events             // an event stream
	polls              // an answer after the other
)

// key is the nonce of every handshake, and accept what must come back for it.
// Nothing between a generator and its server could be fooled by their being
// always the same.
const (
	key    = "dGhlIHNhbXBsZSBub25jZQ=="
	accept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
)

// target is the server that is measured.
type target struct {
	addr      netip.AddrPort
	host      string
	path      string // of a peer, with {syms} in it
	form      form
	bare      bool // no handshake
	native    bool
	wait      int // seconds that a poll waits
	subscribe []string
	options   *Options
}

// newTarget finds out where the server is.
func newTarget(ctx context.Context, o *Options) (*target, error) {
	t := &target{native: o.PeerURL == "", subscribe: o.PeerSubscribe, options: o}
	address := o.URL
	if !t.native {
		address = o.PeerURL
	}
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return nil, fmt.Errorf("%q is not the address of a server as http://127.0.0.1:8080", address)
	}
	t.host, t.path = u.Host, u.RequestURI()
	if t.native {
		err = t.nativeForm(u.Scheme, o.Transport)
	} else {
		err = t.peerForm(u.Scheme)
	}
	if err != nil {
		return nil, err
	}
	port := u.Port()
	if port == "" {
		port = "80"
	}
	addrs, err := net.DefaultResolver.LookupNetIP(ctx, "ip4", u.Hostname())
	if err != nil {
		return nil, fmt.Errorf("%s: %w", address, err)
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", address, err)
	}
	t.addr = netip.AddrPortFrom(addrs[0].Unmap(), uint16(n))
	return t, nil
}

func (t *target) nativeForm(scheme, transport string) error {
	if scheme != "http" {
		return fmt.Errorf("a node's address begins with http://, not %s://: measure it without TLS in front", scheme)
	}
	switch transport {
	case "ws":
		t.form = frames
	case "sse":
		t.form = events
	case "poll":
		t.form, t.wait = polls, 25
	case "short-poll":
		t.form = polls
	default:
		return fmt.Errorf("transport %q must be one of ws, sse, poll, short-poll", transport)
	}
	return nil
}

func (t *target) peerForm(scheme string) error {
	switch scheme {
	case "ws":
		t.form = frames
	case "tcp":
		t.form, t.bare = frames, true
	case "http":
		t.form = events
	default:
		return fmt.Errorf("a peer's address begins with ws://, http:// or tcp://, not %s://", scheme)
	}
	return nil
}

// request returns what a client sends first. cursor is where it goes on from.
func (t *target) request(symbols []string, cursor string) []byte {
	switch {
	case t.bare:
		return t.commands(symbols)
	case t.form == frames:
		path := "/v1/stream"
		if !t.native {
			path = t.peerPath(symbols)
		}
		return fmt.Appendf(nil, "GET %s HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: %s\r\nSec-WebSocket-Version: 13\r\n\r\n", path, t.host, key)
	case !t.native:
		// By HTTP/1.0 an endless answer comes without chunks.
		return fmt.Appendf(nil, "GET %s HTTP/1.0\r\nHost: %s\r\nAccept: text/event-stream\r\n\r\n", t.peerPath(symbols), t.host)
	}
	q := url.Values{"symbols": {t.list(symbols)}, "channels": {strings.Join(t.options.Channels, ",")}, "resolution": {t.options.Resolution}}
	if cursor != "" {
		q.Set("cursor", cursor)
	}
	path := "/v1/events"
	if t.form == polls {
		path = "/v1/poll"
		q.Set("wait", strconv.Itoa(t.wait))
	}
	return fmt.Appendf(nil, "GET %s?%s HTTP/1.1\r\nHost: %s\r\n\r\n", path, q.Encode(), t.host)
}

func (t *target) peerPath(symbols []string) string {
	return strings.NewReplacer("%7Bsyms%7D", strings.Join(symbols, ","), "{syms}", strings.Join(symbols, ",")).Replace(t.path)
}

// list returns the symbols as a node is asked for them.
func (t *target) list(symbols []string) string {
	if t.options.Each == All {
		return "*"
	}
	return strings.Join(symbols, ",")
}

// commands returns what a client of a peer sends after the handshake.
func (t *target) commands(symbols []string) []byte {
	var out []byte
	n := 0
	for _, template := range t.subscribe {
		texts := expand(template, symbols, n)
		n += len(texts)
		for _, text := range texts {
			if t.bare {
				out = append(out, text...)
			} else {
				out = appendFrame(out, opText, []byte(text))
			}
		}
	}
	return out
}

// since is what a client of a node has of a symbol: the seqs that come next.
type since struct {
	symbol string
	next   []uint64
}

// command returns the subscription of a node's WebSocket client, which goes on
// from cursor, without what it has, unless that is "".
func (t *target) command(symbols []string, cursor string, have []since) []byte {
	b := append([]byte(nil), `{"op":"subscribe","id":"bench","symbols":["`...)
	b = append(b, strings.ReplaceAll(t.list(symbols), ",", `","`)...)
	b = append(b, `"],"channels":["`...)
	b = append(b, strings.Join(t.options.Channels, `","`)...)
	b = fmt.Appendf(b, `"],"resolution":%q`, t.options.Resolution)
	if cursor != "" {
		b = fmt.Appendf(b, `,"cursor":%q`, cursor)
		b = appendSince(b, have)
	}
	return appendFrame(nil, opText, append(b, '}'))
}

func appendSince(b []byte, have []since) []byte {
	const field = `,"since":{`
	b = append(b, field...)
	for i, s := range have {
		if i > 0 {
			b = append(b, ',')
		}
		b = fmt.Appendf(b, `%q:{`, s.symbol)
		begin := len(b)
		for c, name := range [channels]string{"trades", "quotes", "statuses"} {
			if s.next[c] == 0 {
				continue
			}
			if len(b) > begin {
				b = append(b, ',')
			}
			b = fmt.Appendf(b, `%q:%d`, name, s.next[c]-1)
		}
		b = append(b, '}')
	}
	return append(b, '}')
}

// symbols asks a node what it has.
func (t *target) symbols(ctx context.Context) (*client.Symbols, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	body, err := get(ctx, strings.TrimSuffix(t.options.URL, "/")+"/v1/symbols")
	if err != nil {
		return nil, fmt.Errorf("asking the node for its symbols: %w", err)
	}
	list, err := client.ParseSymbols(body)
	if err == nil && len(list.All()) == 0 {
		err = errors.New("the node has no symbols yet")
	}
	return list, err
}

// get reads what is at an address, over a connection of its own.
func get(ctx context.Context, address string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	req.Close = true
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 64<<20))
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s: %.200s", address, resp.Status, body)
	}
	return body, err
}
