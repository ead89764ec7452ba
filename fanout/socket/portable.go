package socket

import (
	"context"
	"time"

	"github.com/tapecast/tapecast/fanout"
)

// portable is the loop for systems without epoll: it only writes, for all its
// connections are kept.
type portable struct{ *kept }

var _ loop = portable{}

func newPortable(d *Driver, s *fanout.Shard) portable { return portable{newKept(d, s)} }

// run implements loop.
func (l portable) run(ctx context.Context) {
	wake := make(chan struct{}, 1)
	l.shard.OnWake(func() {
		select {
		case wake <- struct{}{}:
		default:
		}
	})
	timer := time.NewTimer(0)
	defer timer.Stop()
	cadence := cadence{most: l.driver.options.Cadence}
	woken := true // by what was posted before
	for ctx.Err() == nil {
		if now := time.Now(); !now.Before(cadence.due(woken)) {
			woken = false
			cadence.pass(l.shard, now)
		}
		waking := wake
		if woken {
			waking = nil
		}
		timer.Reset(time.Until(cadence.due(woken)))
		select {
		case <-waking:
			woken = true
		case <-timer.C:
		case <-ctx.Done():
		}
	}
	l.close()
}

// close cuts off what is left and waits for its goroutines.
func (l portable) close() {
	l.shard.OnWake(func() {})
	l.gone()
	l.shard.Pass(time.Now())
	l.wait()
}
