// Package bench is a load generator for streaming servers: thousands of cheap
// clients in one goroutine, which check what they get while they load.
//
// It speaks the native protocol over WebSocket, SSE and polls, and reads any
// other server's WebSocket, event stream or bare TCP stream, given what to send
// after the handshake. A client is a non-blocking socket and about a hundred
// bytes; all clients share one read buffer, one event loop and one histogram.
//
// Every delivered tick is counted with its own intended time, the ts that its
// message carries, so that a server which falls behind can't hide it. The ranges
// of every client are checked for holes and overlaps by scanning bytes; a sample
// of clients gets the full check of package client, sums included.
//
// The loop needs epoll, so generators run on Linux; elsewhere New says so.
package bench
