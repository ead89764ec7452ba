package socket

import (
	"bytes"
	"errors"

	"golang.org/x/sys/unix"

	"github.com/tapecast/tapecast/fanout"
)

// link is a connection of an epoll loop. It is all that the driver keeps of an
// idle client, so it is small; everything of it is the shard's goroutine's.
type link struct {
	loop       *epoll
	session    Session
	sub        *fanout.Subscriber
	parser     *parser // nil: no message is under way
	pending    []byte  // what has come and is to be parsed later; nil: nothing
	fd         int32
	slot       int32
	generation int32
	phase      phase
	frames     bool // a WebSocket; else nothing that the client sends matters
	full       bool // the last write was short
	eof        bool // the client has shut its side down
	roused     bool // it is in the loop's again
}

// phase is what a link does with what comes in.
type phase uint8

const (
	listening phase = iota // parses it
	holding                // leaves it in the kernel until a command was run
	parting                // drops it: the last words are to be said
	lost                   // the client is gone, and the subscriber was told
	closing                // drops it: the last bytes are with the kernel
	released
)

// How many reads and messages a client gets before others have their turn.
const (
	readsAtOnce    = 4
	messagesAtOnce = 16
)

var (
	_ fanout.Socket = (*link)(nil)
	_ events        = (*link)(nil)
)

// start begins the life of a link, in its subscriber's Start.
func (c *link) start(early []byte) {
	err := c.loop.add(c)
	c.session.Start(c.sub)
	if err != nil {
		c.loop.driver.log.Warn("a connection can't be waited for", "error", err)
		c.lose()
		return
	}
	c.pending = early
	c.receive(true)
}

// Write implements fanout.Socket.
func (c *link) Write(p []byte) (int, error) {
	n, err := sendto(c.fd, p)
	// The kernel promises an edge after a write that found no room.
	c.full = err == nil && n < len(p)
	return n, err
}

// Unsent returns how many bytes the client has not acknowledged yet. Before
// Close only.
func (c *link) Unsent() int { return unsent(int(c.fd)) }

// Close implements fanout.Socket. In order means: the last bytes, the end, and
// then patience until the client has ended too, for a socket that is closed with
// bytes unread is reset, and what was sent is lost.
func (c *link) Close(abort bool) {
	if abort {
		// What was sent is given up, so that a client that takes nothing costs
		// nothing any more. An error means that the connection is gone already.
		_ = unix.SetsockoptLinger(int(c.fd), unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
		c.release()
		return
	}
	_ = unix.Shutdown(int(c.fd), unix.SHUT_WR)
	if c.eof {
		c.release()
		return
	}
	c.phase, c.parser, c.pending = closing, nil, nil
	c.loop.patience.begin(c)
	c.rouse()
}

// release closes the socket. The link is nobody's from then on.
func (c *link) release() {
	if c.phase == released {
		return
	}
	c.phase, c.parser, c.pending = released, nil, nil
	_ = unix.Close(int(c.fd))
	c.loop.remove(c)
}

// ready takes an event.
func (c *link) ready(events uint32) {
	if events&(unix.EPOLLERR|unix.EPOLLHUP) != 0 {
		c.lose()
		return
	}
	if events&unix.EPOLLOUT != 0 && c.full {
		c.full = false
		c.sub.Writable()
	}
	if events&(unix.EPOLLIN|unix.EPOLLRDHUP) != 0 && !c.roused {
		c.receive(events&unix.EPOLLRDHUP != 0)
	}
}

// rouse lets the loop read although no edge tells: there may have been one while
// nobody listened.
func (c *link) rouse() {
	if !c.roused {
		c.roused = true
		c.loop.again = append(c.loop.again, c)
	}
}

// receive reads what is there. A read that does not fill the buffer has emptied
// the socket, and what comes later makes an edge; toTheEnd looks further, for an
// end that has come already or an edge that was missed.
func (c *link) receive(toTheEnd bool) {
	c.loop.messages = messagesAtOnce
	if c.phase == listening && c.pending != nil {
		c.pending = c.take(c.pending)
	}
	for range readsAtOnce {
		if c.phase == holding || c.phase == lost || c.phase == released || c.eof {
			return
		}
		if c.pending != nil || c.loop.messages <= 0 {
			break // it had its turn
		}
		n, again, err := recv(uintptr(c.fd), c.loop.buf)
		switch {
		case again:
			return
		case err != nil:
			c.lose()
			return
		case n == 0:
			c.end()
			return
		}
		c.pending = bytes.Clone(c.take(c.loop.buf[:n]))
		if n < len(c.loop.buf) && c.pending == nil && !toTheEnd {
			return
		}
	}
	c.rouse()
}

// lose lets go of a client whose connection has failed.
func (c *link) lose() {
	switch c.phase {
	case closing:
		c.release()
	case listening, holding, parting:
		c.phase = lost
		c.sub.Gone()
	case lost, released:
	}
}

// end takes note that the client will send no more. One that was told good-bye
// may still read; any other is gone.
func (c *link) end() {
	if c.phase == parting {
		c.eof = true
		return
	}
	c.lose()
}

// take parses bytes that have come, and returns those that are to be parsed
// later: nil if there are none.
func (c *link) take(b []byte) []byte {
	if !c.frames || c.phase != listening || len(b) == 0 {
		return nil
	}
	p := c.borrow()
	rest, err := p.feed(b)
	var v *violation
	switch {
	case errors.As(err, &v):
		c.loop.driver.log.Debug("a client broke the WebSocket protocol", "reason", v.reason)
		c.part(fanout.Bye{Code: "bad_request", Close: v.code})
		return nil
	case p.done:
		c.part(fanout.Bye{Close: p.closeCode})
		return nil
	}
	c.giveBack(p)
	if len(rest) == 0 {
		return nil
	}
	return rest
}

// borrow returns the link's parser if a message is under way, else the loop's.
func (c *link) borrow() *parser {
	p := c.parser
	if p == nil {
		p = c.loop.parser
		c.loop.parser = nil
	}
	if p == nil {
		p = &parser{limit: c.loop.driver.options.MaxMessage}
	}
	p.events, c.parser = c, nil
	return p
}

// giveBack keeps a parser that has a message under way, and gives the loop any
// other.
func (c *link) giveBack(p *parser) {
	if p.idle() {
		p.events = nil
		c.loop.parser = p
	} else {
		c.parser = p
	}
}

// text implements events.
func (c *link) text(msg []byte) bool {
	if apply := c.session.Text(c.sub, msg); apply != nil {
		c.hold(apply)
		return false
	}
	c.loop.messages--
	return c.loop.messages > 0
}

// ping implements events.
func (c *link) ping(payload []byte) bool {
	pong := appendPong(nil, payload)
	c.hold(func() { c.sub.SendRaw(pong) })
	return false
}

// hold runs f at the next cut and reads no more before, so that no more than one
// message of a client is ever held.
func (c *link) hold(f func()) {
	c.phase = holding
	c.sub.Do(func() {
		f()
		if c.phase == holding {
			c.phase = listening
			c.rouse()
		}
	})
}

// part ends the subscriber at the next cut, or at the latest when it has had its
// time.
func (c *link) part(b fanout.Bye) {
	c.phase = parting
	c.loop.patience.begin(c)
	c.sub.Do(func() { c.sub.End(b) })
}
