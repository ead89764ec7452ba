package bench

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/tapecast/tapecast/fanout/client"
)

// Bench is one measurement of one server.
type Bench struct {
	options Options
}

// New returns a measurement that is to be run once. The error says what is wrong
// with the options.
func New(o Options) (*Bench, error) {
	if err := o.defaults(); err != nil {
		return nil, err
	}
	return &Bench{options: o}, supported()
}

// Run connects all clients, lets them warm up, measures and hangs up. It fails if
// not all clients can connect and subscribe, and when ctx ends before the
// measurement does; what goes wrong later is in the result.
func (b *Bench) Run(ctx context.Context) (*Result, error) {
	t, err := newTarget(ctx, &b.options)
	if err != nil {
		return nil, err
	}
	names := b.options.Symbols
	var list *client.Symbols
	if t.native {
		if list, err = t.symbols(ctx); err != nil {
			return nil, err
		}
		if len(names) == 0 || b.options.Each == All {
			names = list.All()
		}
	}
	r := newReader(t, names)
	l, err := newLoop(r, b.options.meter())
	if err != nil {
		return nil, err
	}
	defer l.close()
	b.cast(l, list)
	if err := l.run(ctx); err != nil {
		return nil, err
	}
	return b.result(l)
}

func (o *Options) meter() meter { return meter{pid: o.PID, admin: o.Admin} }

// cast gives each client its part. Who is slow has nothing to do with what it
// watches: the parts are dealt out by chance, always the same.
func (b *Bench) cast(l *loop, list *client.Symbols) {
	o := &b.options
	order := rand.New(rand.NewPCG(1, 2)).Perm(o.Clients)
	for sort, n := range [sorts]int{slow: o.Slow, stalled: o.Stalled, reconnecting: o.Reconnecting} {
		part := order[:n]
		order = order[n:]
		for _, id := range part {
			l.conns[id].sort = sortOf(sort)
		}
		switch sortOf(sort) {
		case slow:
			l.slow.clients = part
		case reconnecting:
			l.cut.clients = part
		case stalled:
			continue
		}
		b.check(l, part, list)
	}
	l.steady = order
	b.check(l, order, list)
}

func sortOf(i int) sort { return sort(i) }

// check gives the first of some clients the full check.
func (b *Bench) check(l *loop, clients []int, list *client.Symbols) {
	for _, id := range clients[:min(b.options.Checked, len(clients))] {
		l.conns[id].check = true
		l.checks[int32(id)] = &checker{symbols: list}
	}
}

// slowTurn is how often a slow client reads.
const slowTurn = 250 * time.Millisecond

// sample is what the loop notes at the beginning and the end of the window.
type sample struct {
	at    time.Time
	own   float64 // CPU seconds of this process
	heads []uint64
	usage <-chan usage // of the server
}
