package kafka_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/tapecast/tapecast/feed/kafka"
)

// member runs one member of a group and notes which lanes it has.
type member struct {
	mu    sync.Mutex
	lanes map[int]int64 // Start by lane, of the claims that run.
	seen  map[int]int   // Numbers by lane.
	end   func() error
}

func (m *member) held() map[int]int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	held := map[int]int64{}
	for lane, start := range m.lanes {
		held[lane] = start
	}
	return held
}

func (m *member) count() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	total := 0
	for _, n := range m.seen {
		total += n
	}
	return total
}

// joinGroup starts a member that commits every batch.
func joinGroup(t *testing.T, o kafka.GroupOptions) *member {
	t.Helper()
	m := &member{lanes: map[int]int64{}, seen: map[int]int{}}
	ctx, cancel := context.WithCancel(context.Background())
	result := make(chan error, 1)
	go func() { result <- kafka.RunGroup(ctx, o, m.work) }()
	m.end = sync.OnceValue(func() error {
		cancel()
		return <-result
	})
	t.Cleanup(func() { _ = m.end() })
	return m
}

func (m *member) work(ctx context.Context, c *kafka.Claim) error {
	m.mu.Lock()
	m.lanes[c.Lane] = c.Start
	m.mu.Unlock()
	defer func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		delete(m.lanes, c.Lane)
	}()
	return c.Read(ctx, max(c.Start, 0), func(b kafka.Batch) error {
		m.mu.Lock()
		m.seen[b.Lane] += len(b.Records)
		m.mu.Unlock()
		return c.Commit(b.Next)
	})
}

// eventually waits for a condition that other goroutines and a broker bring about.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	ctx := within(t, 30*time.Second)
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	for !ok() {
		select {
		case <-ctx.Done():
			t.Fatal("in vain: ", what)
		case <-ticker.C:
		}
	}
}

func TestGroupSharesLanesAndGoesOn(t *testing.T) {
	onBoth(t, func(t *testing.T, conn kafka.Conn) {
		const lanes = 4
		topic := newTopic(t, conn, lanes)
		w := newWriter(t, kafka.WriterOptions{Conn: conn, Topic: topic, Lanes: lanes})
		writeNumbers(t, w, lanes, 0, 10)
		options := kafka.GroupOptions{Conn: conn, Topic: topic, Lanes: lanes, Group: topic}

		one := joinGroup(t, options)
		eventually(t, "one member reads all", func() bool { return one.count() == 10*lanes })
		for lane, start := range one.held() {
			if start != -1 {
				t.Errorf("lane %d starts at %d, not at -1", lane, start)
			}
		}
		two := joinGroup(t, options)
		eventually(t, "two members share", func() bool { return len(one.held()) == lanes/2 && len(two.held()) == lanes/2 })
		writeNumbers(t, w, lanes, 10, 20)
		eventually(t, "both read on", func() bool { return one.count()+two.count() == 20*lanes })
		if err := one.end(); !errors.Is(err, context.Canceled) {
			t.Errorf("the member ended with %v", err)
		}
		eventually(t, "the other takes over", func() bool { return len(two.held()) == lanes })
		for lane, start := range two.held() {
			if start != 20 {
				t.Errorf("lane %d was taken over at %d, not 20", lane, start)
			}
		}
	})
}

func TestGroupEndsWithTheErrorOfWork(t *testing.T) {
	onBoth(t, func(t *testing.T, conn kafka.Conn) {
		topic := newTopic(t, conn, 2)
		broken := errors.New("broken")
		err := kafka.RunGroup(within(t, 20*time.Second), kafka.GroupOptions{Conn: conn, Topic: topic, Lanes: 2, Group: topic},
			func(context.Context, *kafka.Claim) error { return broken })
		if !errors.Is(err, broken) {
			t.Errorf("got %v", err)
		}
	})
}
