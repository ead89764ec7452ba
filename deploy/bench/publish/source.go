//go:build linux

package main

import (
	"encoding/binary"

	"github.com/tapecast/tapecast/fanout/wire"
	"github.com/tapecast/tapecast/feed"
)

// tape is the id of every synthetic tape.
const tape feed.TapeID = 0x7a9eca57

// source makes ticks. What it appends are records as the intakes read them: lane
// (1 byte), length of the key (1), length of the value (2, little endian), key,
// value.
type source struct {
	tape        bool
	instruments []feed.Instrument
	lanes       []byte // of each instrument
	seqs        []uint64
	counts      []int // symbols of each lane
	start       int64 // ns UTC
	last        int64 // time of the newest tick
	n           int
	value       []byte
}

func newSource(symbols []string, lanes int, asTape bool, start int64) *source {
	s := &source{tape: asTape, counts: make([]int, lanes), seqs: make([]uint64, len(symbols)), start: start, last: start}
	for _, name := range symbols {
		lane := feed.Lane(name, lanes)
		s.counts[lane]++
		s.lanes = append(s.lanes, byte(lane))
		s.instruments = append(s.instruments, feed.Instrument{Symbol: name, Name: name, Class: feed.Stock, Tick: 1, Lot: 1, Decimals: 2})
	}
	return s
}

func (s *source) append(dst []byte, lane byte, key string) []byte {
	dst = append(dst, lane, byte(len(key)))
	dst = binary.LittleEndian.AppendUint16(dst, uint16(len(s.value)))
	return append(append(dst, key...), s.value...)
}

// opening appends what a tape begins with: how many symbols each lane has, and a
// keyframe of each.
func (s *source) opening(dst []byte) []byte {
	if !s.tape {
		return dst
	}
	dst = s.clocks(dst, s.start)
	for i := range s.instruments {
		s.value = feed.AppendKeyframe(s.value[:0], &feed.Keyframe{TS: s.start, Tape: tape, Instrument: s.instruments[i]})
		dst = s.append(dst, s.lanes[i], s.instruments[i].Symbol)
	}
	return dst
}

// clocks appends a clock to each lane. now must not be before the newest tick.
func (s *source) clocks(dst []byte, now int64) []byte {
	if !s.tape {
		return dst
	}
	for lane, n := range s.counts {
		s.value = feed.AppendClock(s.value[:0], &feed.Clock{TS: max(now, s.last), Tape: tape, Symbols: n})
		dst = s.append(dst, byte(lane), "")
	}
	return dst
}

// tick appends the next trade, of the next symbol in turn.
func (s *source) tick(dst []byte, ts int64) []byte {
	i := s.n % len(s.instruments)
	s.n++
	s.seqs[i]++
	s.last = ts
	t := feed.Tick{Kind: feed.KindTrade, Seq: s.seqs[i], TS: ts, Price: feed.Price(18_900 + s.seqs[i]%100), Size: feed.Size(100 + s.seqs[i]%900), Side: feed.Buy}
	if s.tape {
		s.value = feed.AppendTick(s.value[:0], &t)
	} else {
		s.value = wire.JSON{}.Trade(s.value[:0], &s.instruments[i], &t)
	}
	return s.append(dst, s.lanes[i], s.instruments[i].Symbol)
}
