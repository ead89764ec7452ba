package feed

// Lane returns the lane of a symbol on a tape of n lanes: murmur2 of the key,
// made non-negative, modulo n, which is how Java's Kafka producers choose a
// partition. n must be positive and is fixed for the life of a tape.
func Lane(symbol string, n int) int {
	return int(murmur2(symbol)&0x7fffffff) % n
}

// murmur2 is Austin Appleby's 32-bit MurmurHash2 with the seed of Kafka's
// org.apache.kafka.common.utils.Utils.murmur2.
func murmur2(data string) uint32 {
	const (
		seed = 0x9747b28c
		m    = 0x5bd1e995
		r    = 24
	)
	h := uint32(seed) ^ uint32(len(data))
	for len(data) >= 4 {
		k := uint32(data[0]) | uint32(data[1])<<8 | uint32(data[2])<<16 | uint32(data[3])<<24
		k *= m
		k ^= k >> r
		k *= m
		h *= m
		h ^= k
		data = data[4:]
	}
	switch len(data) {
	case 3:
		h ^= uint32(data[2]) << 16
		fallthrough
	case 2:
		h ^= uint32(data[1]) << 8
		fallthrough
	case 1:
		h ^= uint32(data[0])
		h *= m
	}
	h ^= h >> 13
	h *= m
	return h ^ h>>15
}
