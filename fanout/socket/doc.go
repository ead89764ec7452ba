// Package socket drives connections that were taken over from an HTTP server
// after their handshake: it owns the goroutine of each shard, and implements
// fanout.Socket on top of the connection.
//
// A Driver is what a server sees: it gives a connection to Take together with a
// Session, and hears of it again by the Session alone. How bytes get in and out
// is the driver's own business, and there are two ways. On Linux each shard has
// an epoll instance, and its one goroutine does everything for all of its
// connections: an idle one costs a few hundred bytes. Elsewhere, and where
// Options.Portable says so, connections stay in Go's netpoller with a goroutine
// each that reads; the shard's goroutine writes. Connections with TLS are driven
// that way everywhere, and a goroutine writes to each while there is something to
// write. Writes never block the shard. DESIGN.md tells how, and what was measured.
package socket
