package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/tapecast/tapecast/fanout/client"
	"github.com/tapecast/tapecast/feed"
)

// transports are all four, in the order of their names in figures.
var transports = []client.Transport{client.WebSocket, client.SSE, client.LongPoll, client.ShortPoll}

// member is one client of a fleet and what it has seen.
type member struct {
	client    *client.Client
	transport client.Transport // that it began with
	tiling    client.Tiling
	begun     map[string]bool // symbols whose snapshot said where its ranges begin
	err       error
}

// fleet is a number of clients on each transport that watch all symbols.
type fleet struct {
	members []*member
	turned  int // how many places its clients have gone on in transports
	ctx     context.Context
	cancel  context.CancelFunc
	wg      sync.WaitGroup
}

// startFleet starts n clients per transport; client i begins at the i-th node.
func startFleet(t *testing.T, n int, observe func(*member, *client.Message), urls ...string) *fleet {
	t.Helper()
	f := &fleet{}
	f.ctx, f.cancel = context.WithCancel(t.Context())
	t.Cleanup(f.stop)
	for i := range n * len(transports) {
		first := i % len(urls)
		f.add(t, observe, client.Options{
			Base: urls[first], Bases: append(append([]string(nil), urls[first+1:]...), urls[:first]...),
			Transport: transports[i%len(transports)],
		})
	}
	return f
}

// add starts one more client, with what the options say besides what all have.
func (f *fleet) add(t *testing.T, observe func(*member, *client.Message), o client.Options) {
	t.Helper()
	o.Symbols, o.MaxBackoff, o.PollInterval = []string{"*"}, time.Second, 500*time.Millisecond
	c, err := client.New(o)
	if err != nil {
		t.Fatal(err)
	}
	m := &member{client: c, transport: o.Transport, begun: map[string]bool{}}
	f.members = append(f.members, m)
	f.wg.Go(func() {
		m.err = c.Run(f.ctx, func(msg *client.Message) error {
			m.tiling.Observe(msg)
			if msg.Type == client.TypeSnapshot {
				m.begun[msg.Symbol] = true
			}
			if observe != nil {
				observe(m, msg)
			}
			return nil
		})
	})
}

func (f *fleet) stop() {
	f.cancel()
	f.wg.Wait()
}

// turn moves every client to the transport that is so many places on, and holds
// the nodes to it that what they send there begins right after what the client
// has: it gets no repeat to drop. That it has no hole is for check to say.
func (f *fleet) turn(t *testing.T, places int) {
	t.Helper()
	f.turned += places
	before := make([]client.Stats, len(f.members))
	for i, m := range f.members {
		before[i] = m.client.Stats()
		if err := m.client.Switch(transports[(i+f.turned)%len(transports)]); err != nil {
			t.Fatal(err)
		}
	}
	deadline := time.Now().Add(10 * time.Second)
	for i, m := range f.members {
		for !m.carriedOn(&before[i]) && time.Now().Before(deadline) {
			time.Sleep(20 * time.Millisecond)
		}
	}
	time.Sleep(time.Second) // for repeats of rarer symbols
	for i, m := range f.members {
		was, now := before[i], m.client.Stats()
		to := transports[(i+f.turned)%len(transports)]
		if now.Connects != was.Connects+1 || now.Messages == was.Messages {
			t.Errorf("client %d, switched to %s: %d connections, %d messages since", i, to, now.Connects-was.Connects, now.Messages-was.Messages)
		}
		if now.Duplicates != was.Duplicates || now.Overlaps != was.Overlaps {
			t.Errorf("client %d, switched to %s: the node sent %d ranges that it had, %d that it had in part",
				i, to, now.Duplicates-was.Duplicates, now.Overlaps-was.Overlaps)
		}
	}
}

// carriedOn reports whether the client has got anything over another connection.
func (m *member) carriedOn(before *client.Stats) bool {
	now := m.client.Stats()
	return now.Connects > before.Connects && now.Messages > before.Messages
}

// reach waits until every client has everything that the topic has, or patience
// ends. The fleet is stopped then.
func (f *fleet) reach(want map[string]*truth, patience time.Duration) {
	deadline := time.Now().Add(patience)
	for _, m := range f.members {
		for m.missing(want) != nil && time.Now().Before(deadline) {
			time.Sleep(20 * time.Millisecond)
		}
	}
	f.stop()
}

// missing says what the client lacks of the topic.
func (m *member) missing(want map[string]*truth) error {
	for name, tr := range want {
		for c := range feed.Channels {
			if got := m.tiling.Last(name, c); got != tr.last[c] {
				return fmt.Errorf("%s %s: got up to %d, the topic has %d", name, c, got, tr.last[c])
			}
		}
	}
	return nil
}

// check holds all clients against the topic.
func (f *fleet) check(want map[string]*truth) error {
	var errs []error
	for i, m := range f.members {
		if err := m.check(want); err != nil {
			errs = append(errs, fmt.Errorf("client %d over %s: %w", i, m.transport, err))
		}
	}
	return errors.Join(errs...)
}

func (m *member) check(want map[string]*truth) error {
	if m.err != nil {
		return m.err
	}
	if err := m.missing(want); err != nil {
		return err
	}
	for name, tr := range want {
		if !m.begun[name] {
			return fmt.Errorf("%s: no snapshot came, so nothing says where its ranges must begin", name)
		}
		for _, got := range m.tiling.Segments(name) {
			sum, err := tr.sum(got.First, got.Seq)
			if err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			if err := m.tiling.Compare(name, got, sum); err != nil {
				return err
			}
		}
	}
	report := m.tiling.Report()
	if report.Gaps > 0 || report.Resets > 0 {
		return fmt.Errorf("%d gaps and %d resets; none was to be expected", report.Gaps, report.Resets)
	}
	if s := m.client.Stats(); s.Doubled > 0 || s.Overlaps > 0 || s.Garbled > 0 {
		return fmt.Errorf("%d messages came twice, %d overlap, %d were garbled", s.Doubled, s.Overlaps, s.Garbled)
	}
	if report.Messages == 0 {
		return errors.New("it got nothing")
	}
	return report.Err()
}

// summary counts what the fleet has seen.
func (f *fleet) summary() string {
	var messages, covered, duplicates uint64
	for _, m := range f.members {
		r := m.tiling.Report()
		messages += r.Messages
		covered += r.Covered
		duplicates += m.client.Stats().Duplicates
	}
	return fmt.Sprintf("%d clients, %d messages that cover %d ticks, %d repeats dropped", len(f.members), messages, covered, duplicates)
}
