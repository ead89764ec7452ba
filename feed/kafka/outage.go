package kafka

import (
	"context"
	"log/slog"
	"time"
)

// outageLog reports that something does not go on: at once, every five seconds,
// and when it does again.
type outageLog struct {
	log   *slog.Logger
	what  string // "written", "read"
	since time.Time
	last  time.Time
}

// note reports a failed try.
func (o *outageLog) note(ctx context.Context, err error) {
	const every = 5 * time.Second
	now := time.Now()
	if o.since.IsZero() {
		o.since = now
	}
	if now.Sub(o.last) < every || ctx.Err() != nil {
		return
	}
	o.last = now
	o.log.WarnContext(ctx, "kafka: nothing can be "+o.what+" now; trying again", "error", err)
}

// over reports the end of an outage, if there was one.
func (o *outageLog) over(ctx context.Context) {
	if o.since.IsZero() {
		return
	}
	o.log.InfoContext(ctx, "kafka: records are "+o.what+" again", "outage", time.Since(o.since).Round(time.Millisecond))
	o.since, o.last = time.Time{}, time.Time{}
}
