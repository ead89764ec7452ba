package client

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
)

// Level is how finely a client gets data now, and why. All of it is empty before a
// node serves the client.
type Level struct {
	Trades string // raw, 100ms, 250ms, 1s, 5s, or paced: one merged message at each chance to send
	Quotes string // the same
	Reason string // asked, slow or recovered
	// Adapted says that it is coarser than was asked for, because the client was slow.
	Adapted bool
}

// resolutions are what a client can ask for, and what it can get besides, the
// finest first.
func resolutions() []string { return []string{"raw", "100ms", "250ms", "1s", "5s", paced} }

// paced is what a client gets that wants a bound of messages or bytes, or is so slow
// that the coarsest resolution is too much.
const paced = "paced"

// wish is how finely a client wants to get data.
type wish struct {
	resolution string // "": raw
	rate       int    // messages per second, 0: no bound
	bytes      int    // bytes per second, 0: no bound
}

func (w wish) check() error {
	var errs []error
	if known := resolutions(); w.resolution != "" && !slices.Contains(known[:len(known)-1], w.resolution) {
		errs = append(errs, fmt.Errorf("option Resolution %q must be raw, 100ms, 250ms, 1s or 5s", w.resolution))
	}
	if w.rate < 0 || w.bytes < 0 {
		errs = append(errs, fmt.Errorf("options MaxRate %d and MaxBytes %d must not be negative", w.rate, w.bytes))
	}
	return errors.Join(errs...)
}

// level returns what a node serves to a client that keeps up.
func (w wish) level() string {
	if w.rate > 0 || w.bytes > 0 {
		return paced
	}
	return w.fineness()
}

func (w wish) fineness() string { return cmp.Or(w.resolution, "raw") }

// wishes are what a client wants, and what a node said to it.
type wishes struct {
	now     wish
	granted wish   // the last one that a node took
	known   bool   // so granted counts
	asked   []wish // those that no node has replied to yet, the oldest first
	level   Level  // what the client gets
}

// begin forgets what another connection was asked and said.
func (w *wishes) begin() { w.asked, w.level = w.asked[:0], Level{} }

// ask returns the wish that is to be sent to the node now.
func (w *wishes) ask() wish {
	w.asked = append(w.asked, w.now)
	return w.now
}

// served notes that the node serves the client as it asked; a poll has no bounds.
func (w *wishes) served(poll bool) {
	of, ok := w.reply()
	if !ok {
		return
	}
	w.granted, w.known = of, true
	level := of.level()
	if poll {
		level = of.fineness()
	}
	w.level = Level{Trades: level, Quotes: level, Reason: "asked"}
}

// changed notes what a resolution message says.
func (w *wishes) changed(m *Message) {
	if m.ID == resolveID {
		if of, ok := w.reply(); ok {
			w.granted, w.known = of, true
		}
	}
	w.level = Level{Trades: m.TradesAt, Quotes: m.QuotesAt, Reason: m.Reason}
	best := w.granted.level()
	w.level.Adapted = coarser(m.TradesAt, best) || coarser(m.QuotesAt, best)
}

// refused notes that the node did not take a wish; what it took before stays.
func (w *wishes) refused() {
	if _, ok := w.reply(); ok && len(w.asked) == 0 {
		w.now = w.granted
	}
}

// revert returns to what a node took before and reports whether that is something
// else.
func (w *wishes) revert() bool {
	if !w.known || w.now == w.granted {
		return false
	}
	w.now = w.granted
	return true
}

func (w *wishes) reply() (wish, bool) {
	if len(w.asked) == 0 {
		return wish{}, false
	}
	of := w.asked[0]
	w.asked = slices.Delete(w.asked, 0, 1)
	return of, true
}

func coarser(a, b string) bool {
	return slices.Index(resolutions(), a) > slices.Index(resolutions(), b)
}

// Resolve changes how finely the client gets data, and how much at the most, while
// running or not: the resolution is as in Options, maxRate in messages per second
// and maxBytes in bytes per second, 0 for no bound. On a WebSocket it is a command,
// on the other transports the client reconnects and goes on where it was; polls have
// no bounds, so these wait for a stream. It does not wait for the change: Stats
// tells it, and on a WebSocket a resolution message. If the node refuses, as bounds
// that are too low for the symbols, it stays as it was; a WebSocket's handler gets
// the error.
func (c *Client) Resolve(resolution string, maxRate, maxBytes int) error {
	w := wish{resolution: resolution, rate: maxRate, bytes: maxBytes}
	if err := w.check(); err != nil {
		return fmt.Errorf("client: %w", err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.wishes.now == w {
		return nil
	}
	c.wishes.now = w
	switch {
	case c.resolve != nil:
		c.resolve()
	case c.leave != nil:
		c.leave()
	}
	return nil
}

// ask returns the wish that is to be sent to the node now.
func (c *Client) ask() wish {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.wishes.ask()
}

// revert gives up a wish that a node refused and reports whether there is another
// to go on with.
func (c *Client) revert(err error) bool {
	var refused *RefusedError
	if !errors.As(err, &refused) {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.wishes.revert()
}
