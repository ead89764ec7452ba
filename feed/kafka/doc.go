// Package kafka carries a tape over Apache Kafka: topics, a fenced and
// idempotent Writer, a Reader of all lanes from a position, bounded reads
// (Range, Tails, Offsets, At) and a consumer group for the bars role.
//
// It is the only package that imports kafka-go. It moves (key, value, offset,
// time) and knows nothing of markets: a lane is a partition, a position is the
// next offset per lane, and codecs live with their users. The same code runs
// on a real cluster and on the broker of package embedded.
package kafka
