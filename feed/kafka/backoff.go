package kafka

import (
	"context"
	"math/rand/v2"
	"time"
)

// backoff waits between tries: each wait is twice the last, within [low, high],
// and random in its upper half so that many clients do not return together.
type backoff struct {
	low, high time.Duration
	next      time.Duration
}

// reset makes the next wait the shortest one again.
func (b *backoff) reset() { b.next = 0 }

// step returns the next wait.
func (b *backoff) step() time.Duration {
	b.next = min(max(b.next*2, b.low), b.high)
	return b.next/2 + rand.N(b.next/2+1)
}

// wait sleeps for the next wait or until ctx ends, and returns ctx's error.
func (b *backoff) wait(ctx context.Context) error {
	timer := time.NewTimer(b.step())
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
	return ctx.Err()
}
