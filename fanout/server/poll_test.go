package server_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/tapecast/tapecast/fanout/server"
)

// answer is what a poll gives.
type answer struct {
	Messages []message
	Next     string
}

func (n *node) poll(path string) answer {
	n.t.Helper()
	return n.answer(n.do(http.MethodGet, "/v1/poll?"+path, ""))
}

func (n *node) answer(resp *reply) answer {
	n.t.Helper()
	if resp.status != http.StatusOK || resp.header.Get("Content-Type") != "application/json" || resp.header.Get("Cache-Control") != "no-store" {
		n.t.Fatalf("%+v", resp)
	}
	var a answer
	if err := json.Unmarshal([]byte(resp.text), &a); err != nil {
		n.t.Fatalf("%s: %v", resp.text, err)
	}
	if a.Messages == nil || a.Next == "" {
		n.t.Fatalf("%s lacks a part", resp.text)
	}
	return a
}

func TestPolls(t *testing.T) {
	n := startNode(t, nil)
	n.trades("AAPL", 2)
	first := n.poll("symbols=AAPL")
	if len(first.Messages) != 1 || first.Messages[0].Type != "snapshot" || first.Messages[0].Trade.Seq != 2 {
		t.Fatalf("%+v", first)
	}
	if a := n.poll("symbols=AAPL&wait=0&cursor=" + first.Next); len(a.Messages) != 0 {
		t.Errorf("nothing has happened: %+v", a)
	}
	n.trades("AAPL", 3)
	// The same cursor twice is legal.
	for range 2 {
		a := n.poll("symbols=AAPL&cursor=" + first.Next)
		if len(a.Messages) != 3 || a.Messages[0].Seq != 3 || a.Messages[2].Seq != 5 {
			t.Fatalf("%+v", a)
		}
	}
	// A body says since, which the query can't.
	resp := n.do(http.MethodPost, "/v1/poll?wait=0", `{"symbols":["AAPL"],"cursor":"`+first.Next+`","since":{"AAPL":{"trades":4}}}`, "Content-Type", "application/json")
	if a := n.answer(resp); len(a.Messages) != 1 || a.Messages[0].Seq != 5 {
		t.Errorf("%+v", a)
	}
}

func TestLongPollWaits(t *testing.T) {
	n := startNode(t, nil)
	at := n.poll("symbols=AAPL").Next
	begin := time.Now()
	if a := n.poll("symbols=AAPL&wait=1&cursor=" + at); len(a.Messages) != 0 {
		t.Errorf("%+v", a)
	}
	if took := time.Since(begin); took < time.Second || took > 2*time.Second {
		t.Errorf("it waited %v", took)
	}
	got := make(chan answer)
	go func() { got <- n.poll("symbols=AAPL&wait=20&cursor=" + at) }()
	for {
		select {
		case a := <-got:
			if len(a.Messages) == 0 || a.Messages[0].Seq != 1 {
				t.Errorf("%+v", a)
			}
			return
		case <-time.After(20 * time.Millisecond):
			n.trades("AAPL", 1)
		}
	}
}

// TestPollReachesTheHead asks for fewer messages than there are: the oldest part
// comes merged.
func TestPollReachesTheHead(t *testing.T) {
	n := startNode(t, nil)
	at := n.poll("symbols=AAPL,MSFT").Next
	n.trades("AAPL", 300)
	n.trades("MSFT", 100)
	a := n.poll("symbols=AAPL,MSFT&limit=20&cursor=" + at)
	if len(a.Messages) > 20 {
		t.Errorf("%d messages", len(a.Messages))
	}
	last := map[string]uint64{}
	for _, m := range a.Messages {
		first := m.Seq
		if m.Type == "agg" {
			first = m.First
		}
		if first != last[m.Sym]+1 {
			t.Errorf("%s had %d, got %s %d..%d", m.Sym, last[m.Sym], m.Type, first, m.Seq)
		}
		last[m.Sym] = m.Seq
	}
	if last["AAPL"] != 300 || last["MSFT"] != 100 {
		t.Errorf("reached %v", last)
	}
}

func TestPollTellsResetAndUnknown(t *testing.T) {
	n := startNode(t, nil)
	foreign, _ := newTape(t, testTape+1, nil).hub.Cut()
	a := n.poll("symbols=AAPL,NOPE&wait=20&cursor=" + foreign)
	if len(a.Messages) != 3 || a.Messages[0].Type != "reset" || a.Messages[1].Code != "unknown_symbol" || a.Messages[2].Type != "snapshot" {
		t.Errorf("%+v", a)
	}
	b := n.poll("symbols=AAPL,NOPE&cursor=" + a.Next)
	if len(b.Messages) != 1 || b.Messages[0].Code != "unknown_symbol" {
		t.Errorf("%+v", b)
	}
}

func TestPollsAreLimited(t *testing.T) {
	n := startNode(t, func(o *server.Options) { o.Limits.Polls = 1 })
	at := n.poll("symbols=AAPL").Next
	waiting := make(chan answer, 1)
	go func() {
		for {
			// The polls below may be in its way.
			resp := n.do(http.MethodGet, "/v1/poll?symbols=AAPL&wait=20&cursor="+at, "")
			if resp.status == http.StatusOK {
				waiting <- n.answer(resp)
				return
			}
		}
	}()
	for {
		resp := n.do(http.MethodGet, "/v1/poll?symbols=AAPL&cursor="+at, "")
		if resp.status == 200 {
			continue // the other one has not begun
		}
		if resp.status != 503 || resp.header.Get("Retry-After") != "1" || !strings.Contains(resp.text, `"limit"`) {
			t.Errorf("%+v", resp)
		}
		break
	}
	for {
		n.trades("AAPL", 1)
		select {
		case a := <-waiting:
			if len(a.Messages) == 0 {
				t.Errorf("%+v", a)
			}
			return
		case <-time.After(10 * time.Millisecond):
		}
	}
}
