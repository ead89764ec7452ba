package market

import (
	"math/rand/v2"

	"github.com/tapecast/tapecast/feed"
)

// flow is the sequence of aggressors' sides. Large orders are traded in many
// pieces, whose number has a heavy tail, so that sides have a long memory
// (Lillo, Mike and Farmer 2005); other people trade in between.
type flow struct {
	side feed.Side
	left int // pieces of the current order
}

const (
	orderTail  = 1.5  // tail exponent of an order's pieces
	orderLimit = 2000 // pieces
	orderShare = 0.7  // of trades that belong to the current order
)

func (f *flow) next(r *rand.Rand) feed.Side {
	if f.left == 0 {
		f.side = anySide(r)
		f.left = int(min(orderLimit, pareto(r, orderTail)))
	}
	if r.Float64() >= orderShare {
		return anySide(r)
	}
	f.left--
	return f.side
}

func anySide(r *rand.Rand) feed.Side {
	if r.Uint64()&1 == 0 {
		return feed.Buy
	}
	return feed.Sell
}
