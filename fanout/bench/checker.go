package bench

import "github.com/tapecast/tapecast/fanout/client"

// checker gives one client the full check: every message is decoded, and what
// the trades sum up to is held against what the messages say.
type checker struct {
	symbols *client.Symbols
	msg     client.Message
	tiling  client.Tiling
	broken  uint64 // messages that can't be decoded
	why     string // what is wrong with the first of them
}

// observe takes the message that b begins with.
func (c *checker) observe(b []byte) {
	if err := client.Decode(&c.msg, b[:object(b)], c.symbols); err != nil {
		if c.broken++; c.why == "" {
			c.why = err.Error()
		}
		return
	}
	c.tiling.Observe(&c.msg)
}

// Checked is what the full check of a sample of clients found.
type Checked struct {
	Clients  int      `json:"clients"`
	Messages uint64   `json:"messages"`
	Covered  uint64   `json:"covered"` // ticks
	Holes    uint64   `json:"holes"`
	Overlaps uint64   `json:"overlaps"`
	Altered  uint64   `json:"altered"` // ranges whose content is wrong
	Broken   uint64   `json:"broken"`  // messages that can't be decoded
	Faults   []string `json:"faults,omitempty"`
}

const keptFaults = 5

// add sums up one client's report; verify may be nil.
func (s *Checked) add(c *checker, verify func(*client.Tiling) error) {
	r := c.tiling.Report()
	s.Clients++
	s.Messages += r.Messages
	s.Covered += r.Covered
	s.Holes += r.Holes
	s.Overlaps += r.Overlaps
	s.Altered += r.Altered
	s.Broken += c.broken
	faults := r.Faults
	if verify != nil {
		if err := verify(&c.tiling); err != nil {
			s.Altered++
			faults = append(faults, err.Error())
		}
	}
	if c.why != "" {
		faults = append(faults, c.why)
	}
	s.Faults = append(s.Faults, faults[:min(len(faults), keptFaults-len(s.Faults))]...)
}
