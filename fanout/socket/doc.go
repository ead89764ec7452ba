// Package socket drives connections that were taken over from an HTTP server
// after their handshake: it owns the goroutine of each shard, and implements
// fanout.Socket on top of the connection.
//
// A Driver is what a server sees: it gives a connection to Take together with a
// Session, and hears of it again by the Session alone. How bytes get in and out
// is the driver's own business. Here that is Go's netpoller, with one goroutine
// per connection that reads; writes are made by the shard's goroutine and never
// block.
package socket
