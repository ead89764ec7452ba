package kafka

import (
	"encoding/binary"
	"hash/crc32"
	"time"
)

// The layout of a record batch, version 2. Every number is big-endian; offsets
// count from the start of the batch, which follows its own size (int32) here,
// because that is how a produce request carries it.
const (
	sizePrefix  = 4
	batchHeader = 61
	atLength    = sizePrefix + 8  // int32: bytes after this field
	atEpoch     = sizePrefix + 12 // int32: leader epoch, the broker's to fill in
	atMagic     = sizePrefix + 16 // int8: 2
	atCRC       = sizePrefix + 17 // uint32: CRC-32C of all that follows it
	atAttrs     = sizePrefix + 21 // int16: no compression, CreateTime
	atLastDelta = sizePrefix + 23 // int32: offset of the last record, from the first
	atBaseTime  = sizePrefix + 27 // int64, ms
	atMaxTime   = sizePrefix + 35 // int64, ms
	atProducer  = sizePrefix + 43 // int64
	atProdEpoch = sizePrefix + 51 // int16
	atSequence  = sizePrefix + 53 // int32: of the first record
	atCount     = sizePrefix + 57 // int32
)

// maxBatchBytes closes a batch, well below the 1 MiB that brokers take.
const maxBatchBytes = 512 << 10

// recordBatch is one batch of one lane, encoded as it grows. Once sealed its
// bytes never change, so that every try sends the same ones.
type recordBatch struct {
	buf      []byte // The size, the header, the records.
	count    int32
	baseTime int64 // ms
	maxTime  int64 // ms
	sealed   bool
}

// reset empties the batch and keeps its memory.
func (b *recordBatch) reset() {
	if cap(b.buf) == 0 {
		b.buf = make([]byte, 0, 4<<10)
	}
	*b = recordBatch{buf: b.buf[:sizePrefix+batchHeader]}
	clear(b.buf)
}

// fits reports whether a record of these sizes may be added.
func (b *recordBatch) fits(key, value []byte) bool {
	const overhead = 32 // Attributes and varints of one record, at most.
	return !b.sealed && (b.count == 0 || len(b.buf)+len(key)+len(value)+overhead <= maxBatchBytes)
}

// add encodes one record; ts is in ns. It copies key and value. A nil value is
// a tombstone and a nil key is none, as Kafka has it.
func (b *recordBatch) add(ts int64, key, value []byte) {
	ms := floorMillis(ts)
	if b.count == 0 {
		b.baseTime, b.maxTime = ms, ms
	}
	b.maxTime = max(b.maxTime, ms)
	delta := ms - b.baseTime
	length := 1 + varintSize(delta) + varintSize(int64(b.count)) + fieldSize(key) + fieldSize(value) + 1

	buf := binary.AppendVarint(b.buf, int64(length))
	buf = append(buf, 0) // Attributes: none are defined.
	buf = binary.AppendVarint(buf, delta)
	buf = binary.AppendVarint(buf, int64(b.count))
	buf = appendField(buf, key)
	buf = appendField(buf, value)
	b.buf = append(buf, 0) // No headers.
	b.count++
}

// seal fills in the header; the first record gets the given sequence.
func (b *recordBatch) seal(producer int64, epoch int16, sequence int32) {
	be := binary.BigEndian
	be.PutUint32(b.buf, uint32(len(b.buf)-sizePrefix))
	be.PutUint32(b.buf[atLength:], uint32(len(b.buf)-atLength-4))
	be.PutUint32(b.buf[atEpoch:], 0xffffffff)
	b.buf[atMagic] = 2
	be.PutUint16(b.buf[atAttrs:], 0)
	be.PutUint32(b.buf[atLastDelta:], uint32(b.count-1))
	be.PutUint64(b.buf[atBaseTime:], uint64(b.baseTime))
	be.PutUint64(b.buf[atMaxTime:], uint64(b.maxTime))
	be.PutUint64(b.buf[atProducer:], uint64(producer))
	be.PutUint16(b.buf[atProdEpoch:], uint16(epoch))
	be.PutUint32(b.buf[atSequence:], uint32(sequence))
	be.PutUint32(b.buf[atCount:], uint32(b.count))
	be.PutUint32(b.buf[atCRC:], crc32.Checksum(b.buf[atAttrs:], crc32.MakeTable(crc32.Castagnoli)))
	b.sealed = true
}

// floorMillis turns ns into whole ms, downwards also before 1970.
func floorMillis(ns int64) int64 {
	const unit = int64(time.Millisecond)
	ms := ns / unit
	if ns%unit < 0 {
		ms--
	}
	return ms
}

// fieldSize is the encoded size of a key or value with its length.
func fieldSize(field []byte) int {
	if field == nil {
		return varintSize(-1)
	}
	return varintSize(int64(len(field))) + len(field)
}

func appendField(buf, field []byte) []byte {
	if field == nil {
		return binary.AppendVarint(buf, -1)
	}
	return append(binary.AppendVarint(buf, int64(len(field))), field...)
}

// varintSize is the number of bytes of a zigzag varint.
func varintSize(v int64) int {
	zigzag := uint64(v)<<1 ^ uint64(v>>63)
	size := 1
	for zigzag >= 0x80 {
		zigzag >>= 7
		size++
	}
	return size
}
