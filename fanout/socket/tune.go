package socket

import (
	"fmt"
	"net"
	"time"
)

// userTimeout is how long a client's system may leave bytes unacknowledged
// before the connection is given up. With a heartbeat every 15 s there are always
// some, so this finds a client whose machine or network is gone. It is longer
// than the 30 s after which a shard drops a client that takes nothing, so that
// the shard, which counts and explains, comes first.
const userTimeout = 45 * time.Second

// tune sets what a taken connection needs of its socket.
func (d *Driver) tune(tcp *net.TCPConn) error {
	if err := tcp.SetWriteBuffer(d.options.SendBuffer); err != nil {
		return fmt.Errorf("socket: send buffer of %d bytes: %w", d.options.SendBuffer, err)
	}
	// Heartbeats keep the connection alive; the kernel's probes would be packets
	// besides.
	if err := tcp.SetKeepAlive(false); err != nil {
		return fmt.Errorf("socket: keep-alive: %w", err)
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return fmt.Errorf("socket: %w", err)
	}
	var failed error
	if err := raw.Control(func(fd uintptr) { failed = limit(int(fd), d.options.NotSentLowat) }); err != nil {
		failed = err
	}
	if failed != nil {
		return fmt.Errorf("socket: options of a connection: %w", failed)
	}
	return nil
}
