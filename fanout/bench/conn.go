package bench

import "time"

// sort says how a client behaves.
type sort uint8

const (
	steady sort = iota
	slow
	stalled
	reconnecting
	sorts
)

// phase says where a client's connection stands.
type phase uint8

const (
	away        phase = iota // not connected
	connecting               // the kernel shakes hands
	greeting                 // the request was sent
	subscribing              // the handshake is done, the subscription not confirmed
	streaming
)

// conn is one client. Everything that can be shared is not in it.
type conn struct {
	id     int32
	fd     int32
	sort   sort
	phase  phase
	inside bool // a frame that has not come to its end
	check  bool // the client gets the full check
	again  bool // it has been streaming before
	watch  uint32
	frame  frame
	tail   []byte // what was received and is not a whole frame, line or message yet
	out    []byte // what is still to be sent
	cursor string // where a reconnecting or polling client goes on from
}

// rota visits each of its clients once every so often, spread evenly over time.
type rota struct {
	clients []int
	every   time.Duration
	begin   time.Time
	done    int
}

// due returns how many visits have come due since the last call.
func (r *rota) due(now time.Time) int {
	if len(r.clients) == 0 {
		return 0
	}
	if r.begin.IsZero() {
		r.begin = now
	}
	n := int(float64(now.Sub(r.begin)) / float64(r.every) * float64(len(r.clients)))
	n, r.done = n-r.done, n
	return min(n, len(r.clients))
}
