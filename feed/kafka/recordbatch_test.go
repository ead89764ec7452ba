package kafka

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"io"
	"testing"
	"time"

	"github.com/segmentio/kafka-go/protocol"
	"pgregory.net/rapid"
)

// golden is one sealed batch of two records with its size in front; it never
// changes, because brokers and other clients read it.
const golden = "" +
	"00000054" + // Size.
	"0000000000000000" + // Base offset.
	"00000048" + // Length.
	"ffffffff" + // Leader epoch.
	"02" + // Magic.
	"9928210c" + // CRC-32C.
	"0000" + // Attributes.
	"00000001" + // Last offset delta.
	"0000018bcfe56800" + // First time, 1700000000000 ms.
	"0000018bcfe56803" + // Last time.
	"0000000000000539" + // Producer id 1337.
	"0007" + // Epoch.
	"0000002a" + // Sequence.
	"00000002" + // Records.
	"1e" + "00" + "00" + "00" + "08" + "4141504c" + "0a" + "68656c6c6f" + "00" +
	"0c" + "00" + "06" + "02" + "01" + "01" + "00"

func TestGoldenBatch(t *testing.T) {
	var b recordBatch
	b.reset()
	b.add(1_700_000_000_000_000_000, []byte("AAPL"), []byte("hello"))
	b.add(1_700_000_000_003_999_999, nil, nil)
	b.seal(1337, 7, 42)
	if got := hex.EncodeToString(b.buf); got != golden {
		t.Errorf("got  %s\nwant %s", got, golden)
	}
	decode(t, b.buf)
}

// decode reads a batch with kafka-go.
func decode(t interface{ Fatalf(string, ...any) }, raw []byte) []protocol.Record {
	var set protocol.RecordSet
	if _, err := set.ReadFrom(bytes.NewReader(raw)); err != nil {
		t.Fatalf("kafka-go can't read the batch: %v", err)
	}
	var records []protocol.Record
	for {
		r, err := set.Records.ReadRecord()
		if err == io.EOF { //nolint:errorlint // The reader's contract.
			return records
		}
		if err != nil {
			t.Fatalf("kafka-go can't read record %d: %v", len(records), err)
		}
		records = append(records, *r)
	}
}

func TestBatchReadsBackByKafkaGo(t *testing.T) {
	type record struct {
		ts         int64
		key, value []byte
	}
	field := rapid.SliceOfN(rapid.Byte(), 0, 200)
	one := rapid.Custom(func(t *rapid.T) record {
		return record{rapid.Int64Range(0, 1<<61).Draw(t, "ts"), field.Draw(t, "key"), field.Draw(t, "value")}
	})
	rapid.Check(t, func(t *rapid.T) {
		records := rapid.SliceOfN(one, 1, 300).Draw(t, "records")
		var b recordBatch
		b.reset()
		for _, r := range records {
			b.add(r.ts, r.key, r.value)
		}
		b.seal(1, 2, 3)
		got := decode(t, b.buf)
		if len(got) != len(records) {
			t.Fatalf("%d records came back of %d", len(got), len(records))
		}
		for i, r := range records {
			key, value := read(t, got[i].Key), read(t, got[i].Value)
			if got[i].Offset != int64(i) || !got[i].Time.Equal(time.UnixMilli(floorMillis(r.ts))) || !bytes.Equal(key, r.key) || !bytes.Equal(value, r.value) {
				t.Fatalf("record %d: got %v at %v, want %v", i, got[i], got[i].Time, r)
			}
		}
	})
}

func read(t *rapid.T, b protocol.Bytes) []byte {
	if b == nil {
		return nil
	}
	raw, err := protocol.ReadAll(b)
	if err != nil {
		t.Fatalf("reading a field: %v", err)
	}
	return raw
}

func TestCorruptBatchIsNoticed(t *testing.T) {
	var b recordBatch
	b.reset()
	b.add(0, []byte("AAPL"), []byte("hello"))
	b.seal(1, 2, 3)
	b.buf[len(b.buf)-3] ^= 1
	var set protocol.RecordSet
	if _, err := set.ReadFrom(bytes.NewReader(b.buf)); err == nil {
		t.Error("kafka-go reads a corrupt batch: it proves nothing in the other tests")
	}
}

func TestSequenceWraps(t *testing.T) {
	w := &Writer{lanes: make([]laneQueue, 1), producer: 1}
	w.lanes[0].sequence = 1<<31 - 2
	for range 5 {
		w.Append(0, 0, nil, nil)
	}
	w.sealFirst()
	if got := w.lanes[0].sequence; got != 3 {
		t.Errorf("after 2147483646 and 5 records comes %d, not 3", got)
	}
}

func TestFloorMillis(t *testing.T) {
	for ns, want := range map[int64]int64{0: 0, 999_999: 0, 1_000_000: 1, -1: -1, -1_000_000: -1, -1_000_001: -2} {
		if got := floorMillis(ns); got != want {
			t.Errorf("%d ns are %d ms, not %d", ns, got, want)
		}
	}
}

func FuzzVarintSize(f *testing.F) {
	f.Add(int64(0))
	f.Add(int64(-1))
	f.Add(int64(1 << 40))
	f.Fuzz(func(t *testing.T, v int64) {
		if got := len(binary.AppendVarint(nil, v)); got != varintSize(v) {
			t.Errorf("%d takes %d bytes, not %d", v, got, varintSize(v))
		}
	})
}
