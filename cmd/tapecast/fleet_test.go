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
	transport client.Transport
	tiling    client.Tiling
	err       error
}

// fleet is a number of clients on each transport that watch all symbols.
type fleet struct {
	members []*member
	cancel  context.CancelFunc
	wg      sync.WaitGroup
}

// startFleet starts n clients per transport; client i begins at the i-th node.
func startFleet(t *testing.T, n int, observe func(*member, *client.Message), urls ...string) *fleet {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	f := &fleet{cancel: cancel}
	for i := range n * len(transports) {
		first := i % len(urls)
		m := &member{transport: transports[i%len(transports)]}
		c, err := client.New(client.Options{
			Base: urls[first], Bases: append(append([]string(nil), urls[first+1:]...), urls[:first]...),
			Transport: m.transport, Symbols: []string{"*"}, MaxBackoff: time.Second, PollInterval: 500 * time.Millisecond,
		})
		if err != nil {
			t.Fatal(err)
		}
		m.client = c
		f.members = append(f.members, m)
		f.wg.Go(func() {
			m.err = c.Run(ctx, func(msg *client.Message) error {
				m.tiling.Observe(msg)
				if observe != nil {
					observe(m, msg)
				}
				return nil
			})
		})
	}
	t.Cleanup(f.stop)
	return f
}

func (f *fleet) stop() {
	f.cancel()
	f.wg.Wait()
}

// reach waits until every client has everything that the topic has.
func (f *fleet) reach(t *testing.T, want map[string]*truth) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
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
