package fanout

import "time"

// acks tells how far a client is that acknowledges what it got. What waits between
// the node and the client, in the kernel or in a proxy, is seen by this alone.
type acks struct {
	samples []sample // not acknowledged yet, the oldest first
	got     int64    // the newest tape time that was acknowledged, µs UTC
}

// sample says that the newest tick of a flush, of that tape time, was sent then.
type sample struct {
	at int64 // wall time, ns UTC
	ts int64 // tape time, µs UTC
}

// How often a client acknowledges, how often a sample is taken, and how many are kept.
const (
	ackEvery    = time.Second
	sampleEvery = 500 * time.Millisecond
	mostSamples = 64
)

// Ack notes that the client has got everything up to a message of that tape time,
// µs UTC. To be called within Do.
func (c *Subscriber) Ack(ts int64) {
	if c.acks == nil {
		c.acks = &acks{}
	}
	c.acks.got = max(c.acks.got, ts)
	n := 0
	for n < len(c.acks.samples) && c.acks.samples[n].ts <= ts {
		n++
	}
	c.acks.samples = append(c.acks.samples[:0], c.acks.samples[n:]...)
}

// sent takes a sample of the flush that was just finished.
func (a *acks) sent(c *Subscriber) {
	n := len(a.samples)
	if n == mostSamples || n > 0 && c.shard.now-a.samples[n-1].at < int64(sampleEvery) {
		return
	}
	newest := int64(0)
	for _, f := range c.flush {
		s := &c.slots[f.slot]
		if s.watch == nil || s.watch.key.set == Bars {
			continue
		}
		st := s.key.symbol.State()
		if s.watch.key.set&TradesOnly != 0 {
			newest = max(newest, st.Trade.TS)
		}
		if s.watch.key.set&QuotesOnly != 0 {
			newest = max(newest, st.Quote.TS)
		}
	}
	if newest/int64(time.Microsecond) > a.got {
		a.samples = append(a.samples, sample{at: c.shard.now, ts: newest / int64(time.Microsecond)})
	}
}

// lag returns how long ago the oldest thing was sent that is not acknowledged, less
// slack.
func (a *acks) lag(now, slack int64) time.Duration {
	if len(a.samples) == 0 {
		return 0
	}
	return time.Duration(max(now-a.samples[0].at-slack, 0))
}
