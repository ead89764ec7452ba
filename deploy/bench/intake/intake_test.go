package intake

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"slices"
	"testing"
)

// kept is a sink that keeps what it gets.
type kept struct {
	got     []string
	flushed int // how many of got had come when Flush was called last
}

func (k *kept) Publish(symbol string, msg []byte) error {
	k.got = append(k.got, symbol+" "+string(msg))
	return nil
}

func (k *kept) Flush() error {
	k.flushed = len(k.got)
	return nil
}

// Records come in any pieces; each is published once, in order, and flushed.
func TestRead(t *testing.T) {
	var stream []byte
	want := []string{"AAPL one", "MSFT two", "AAPL "}
	for _, r := range [][2]string{{"AAPL", "one"}, {"MSFT", "two"}, {"AAPL", ""}} {
		stream = binary.LittleEndian.AppendUint16(append(stream, 3, byte(len(r[0]))), uint16(len(r[1])))
		stream = append(append(stream, r[0]...), r[1]...)
	}
	for piece := 1; piece <= len(stream); piece++ {
		near, far := net.Pipe()
		go func() {
			defer far.Close()
			for at := 0; at < len(stream); at += piece {
				if _, err := far.Write(stream[at:min(at+piece, len(stream))]); err != nil {
					return
				}
			}
		}()
		k := &kept{}
		if err := read(near, k); !errors.Is(err, io.EOF) || !slices.Equal(k.got, want) || k.flushed != len(want) {
			t.Errorf("pieces of %d: %v, %q, %d flushed", piece, err, k.got, k.flushed)
		}
		near.Close()
	}
}
