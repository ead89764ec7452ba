package market

// event is when a symbol's next tick is due.
type event struct {
	at     int64 // market time, ns UTC
	symbol int
}

func (e event) before(o event) bool {
	return e.at < o.at || e.at == o.at && e.symbol < o.symbol
}

// queue is a binary heap of one event per symbol: the first is the earliest.
// (container/heap would call through an interface for each comparison.)
type queue []event

// postpone gives the first event a later time.
func (q queue) postpone(at int64) {
	e := event{at: at, symbol: q[0].symbol}
	i := 0
	for {
		child := 2*i + 1
		if child >= len(q) {
			break
		}
		if right := child + 1; right < len(q) && q[right].before(q[child]) {
			child = right
		}
		if !q[child].before(e) {
			break
		}
		q[i] = q[child]
		i = child
	}
	q[i] = e
}
