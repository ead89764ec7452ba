//go:build linux

package main

import (
	"encoding/binary"
	"testing"

	"github.com/tapecast/tapecast/feed"
)

func record(lane byte, key string, seq uint64) []byte {
	value := feed.AppendTick(nil, &feed.Tick{Kind: feed.KindTrade, Seq: seq, TS: 1, Price: 1, Size: 1})
	b := binary.LittleEndian.AppendUint16([]byte{lane, byte(len(key))}, uint16(len(value)))
	return append(append(b, key...), value...)
}

// Records come in any pieces; each is taken once, in order, with the next offset
// of its lane.
func TestTake(t *testing.T) {
	var stream []byte
	for seq := uint64(1); seq <= 20; seq++ {
		stream = append(stream, record(byte(seq%2), "AAPL", seq)...)
	}
	for piece := 1; piece <= len(stream); piece++ {
		in := newIntake(2)
		var kept []byte
		for at := 0; at < len(stream); at += piece {
			kept = append(kept, stream[at:min(at+piece, len(stream))]...)
			rest, err := in.take(kept)
			if err != nil {
				t.Fatal(err)
			}
			kept = append([]byte(nil), rest...)
		}
		for lane, b := range in.batches {
			if len(b.Records) != 10 || in.next[lane] != 10 || len(kept) != 0 {
				t.Fatalf("pieces of %d: %d records, next %d, %d bytes left", piece, len(b.Records), in.next[lane], len(kept))
			}
			for i, r := range b.Records {
				if r.Offset != int64(i) || r.Symbol != "AAPL" || int(r.Tick.Seq%2) != lane {
					t.Errorf("lane %d: record %d is %+v", lane, i, r)
				}
			}
		}
	}
}

func TestTakeRefuses(t *testing.T) {
	garbage := record(0, "AAPL", 1)
	garbage[len(garbage)-1], garbage[8] = 0xff, 0xff
	for name, b := range map[string][]byte{"another lane": record(9, "AAPL", 1), "garbage": garbage} {
		if _, err := newIntake(2).take(b); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
}
