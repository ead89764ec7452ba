// Package fanout carries one tape to many clients.
//
// A Hub reads batches of decoded records and is the only writer of what it
// shares: books, bars, rings of recent ticks and streams. A Stream is an
// append-only list of bytes ready to send, encoded once for all who read it. A
// client is a Subscriber: a place in each stream that it watches. It is pulled,
// never pushed: when its Socket can take bytes, its Shard fills them from that
// place to the head. There is no queue per client.
//
// The package knows no Kafka, no HTTP and no JSON: it declares Encoder and
// Socket, which others fill. DESIGN.md tells who owns what.
package fanout
