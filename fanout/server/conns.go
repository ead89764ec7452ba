package server

import (
	"net"

	"github.com/valyala/fasthttp"
)

// track remembers the connections that were not taken over, so that those that
// never ask for anything don't hold up the end.
func (s *Server) track(c net.Conn, state fasthttp.ConnState) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch state {
	case fasthttp.StateNew:
		s.conns[c] = struct{}{}
	case fasthttp.StateHijacked, fasthttp.StateClosed:
		delete(s.conns, c)
	case fasthttp.StateActive, fasthttp.StateIdle:
	}
}

// isLoopback reports whether only this machine can reach an address.
func isLoopback(a net.Addr) bool {
	tcp, ok := a.(*net.TCPAddr)
	return ok && tcp.IP.IsLoopback()
}

// trustLoopback allows pages of local development servers if only this machine
// can reach the server.
func (s *Server) trustLoopback(a net.Addr) {
	if !isLoopback(a) {
		return
	}
	list, err := parseOrigins(append([]string{"http://localhost:*", "http://127.0.0.1:*"}, s.options.Origins...))
	if err == nil {
		s.origins.Store(list)
	}
}
