package kafka

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func TestBackoffGrowsWithinItsBounds(t *testing.T) {
	b := backoff{low: 20 * time.Millisecond, high: time.Second}
	for round := range 2 {
		limit := b.low
		for range 20 {
			if d := b.step(); d < limit/2 || d > limit {
				t.Fatalf("round %d: %v is not within %v and %v", round, d, limit/2, limit)
			}
			limit = min(limit*2, b.high)
		}
		b.reset()
	}
}

func TestBackoffWaitEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := backoff{low: time.Hour, high: time.Hour}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		begun := time.Now()
		if err := b.wait(ctx); !errors.Is(err, context.DeadlineExceeded) || time.Since(begun) != time.Second {
			t.Errorf("%v after %v", err, time.Since(begun))
		}
		begun = time.Now()
		if err := b.wait(t.Context()); err != nil || time.Since(begun) < 30*time.Minute {
			t.Errorf("%v after %v", err, time.Since(begun))
		}
	})
}
