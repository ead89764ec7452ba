//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// clockEvery is how often a tape's clocks are due.
const clockEvery = 100 * time.Millisecond

// pacer is an open loop: when ticks are due depends on nothing that happens.
type pacer struct {
	rate  float64 // per second
	start time.Time
	sent  int
	late  struct {
		sum, max time.Duration
	}
}

// due returns the time from the start at which a tick is due.
func (p *pacer) due(i int) time.Duration {
	return time.Duration(float64(i) / p.rate * float64(time.Second))
}

func (p *pacer) meanLate() float64 {
	return float64(p.late.sum.Microseconds()) / float64(max(p.sent, 1))
}

// run sends all that is due and sleeps until the next is, on a thread of its own
// whose timer is as exact as the kernel can: Go's are a millisecond late.
func (p *pacer) run(ctx context.Context, s *source, w io.Writer) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := unix.Prctl(unix.PR_SET_TIMERSLACK, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("an exact timer: %w", err)
	}
	var buf []byte
	clock := clockEvery
	for ctx.Err() == nil {
		now := time.Since(p.start)
		buf = p.ticks(buf[:0], s, now)
		if now >= clock {
			buf = s.clocks(buf, s.start+int64(now))
			clock += clockEvery
		}
		if len(buf) > 0 {
			if _, err := w.Write(buf); err != nil {
				return fmt.Errorf("the server has hung up after %d ticks: %w", p.sent, err)
			}
		}
		next := clock
		if p.rate > 0 {
			next = min(next, p.due(p.sent))
		}
		if err := sleep(next - time.Since(p.start)); err != nil {
			return err
		}
	}
	return nil
}

// ticks appends all that are due.
func (p *pacer) ticks(buf []byte, s *source, now time.Duration) []byte {
	for p.rate > 0 {
		due := p.due(p.sent)
		if due > now {
			break
		}
		buf = s.tick(buf, s.start+int64(due))
		p.sent++
		p.late.sum += now - due
		p.late.max = max(p.late.max, now-due)
	}
	return buf
}

func sleep(d time.Duration) error {
	if d <= 0 {
		return nil
	}
	t := unix.NsecToTimespec(int64(d))
	if err := unix.ClockNanosleep(unix.CLOCK_MONOTONIC, 0, &t, nil); err != nil && !errors.Is(err, unix.EINTR) {
		return fmt.Errorf("sleeping: %w", err)
	}
	return nil
}
