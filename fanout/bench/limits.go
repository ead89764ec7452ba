package bench

import (
	"fmt"
	"net/netip"
)

// spare is how many files a process has open beside its clients' connections.
const spare = 48

// limits are what this machine allows.
type limits struct {
	files       uint64 // that this process may have open
	filesOf     uint64 // that the server's process may; 0: not known
	first, last int    // the range of ephemeral ports
}

// check says which limit so many clients would hit, and what to do.
func (l *limits) check(clients int) error {
	need := uint64(clients) + spare
	if l.files < need {
		return fmt.Errorf("%d clients need %d open files and this process may have %d: raise the limit (ulimit -Hn %d && ulimit -n %d, or LimitNOFILE= of a service), or take fewer clients",
			clients, need, l.files, need, need)
	}
	if l.filesOf != 0 && l.filesOf < need {
		return fmt.Errorf("%d clients need %d open files of the server and it may have %d: start it with a higher limit (ulimit -n %d), or take fewer clients",
			clients, need, l.filesOf, need)
	}
	return nil
}

// sources returns the addresses to connect from: none if the kernel's choice has
// enough ports, else as many loopback addresses as are needed. Only three
// quarters of an address's ports are counted on: others use them, and those of
// connections that have just ended rest for a minute.
func (l *limits) sources(clients int, to netip.Addr) ([]netip.Addr, error) {
	ports := (l.last - l.first + 1) * 3 / 4
	if clients <= ports {
		return nil, nil
	}
	if !to.IsLoopback() || !to.Is4() {
		return nil, fmt.Errorf("%d clients need as many ports to connect from, and %d to %d are some %d: widen the range (sysctl -w net.ipv4.ip_local_port_range='1024 65535'), or take fewer clients, or several machines",
			clients, l.first, l.last, ports)
	}
	var from []netip.Addr
	for addr := netip.AddrFrom4([4]byte{127, 0, 0, 2}); len(from)*ports < clients; addr = addr.Next() {
		from = append(from, addr)
	}
	return from, nil
}
