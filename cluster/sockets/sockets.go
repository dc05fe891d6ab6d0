// Package sockets makes and keeps the listening sockets that the workers of an app share:
// one SO_REUSEPORT socket per worker slot where the kernel balances between them, one socket for all
// elsewhere. It steers new connections to the slots that serve, hands the queue of one that
// does not to the others, and closes without resetting anybody.
//
// [Group] is one listening address. It has no lock: it belongs to the goroutine that owns the app.
// What is decided (the kernel's order of sockets, steer programs, who holds a port) is decided in
// pure functions; descriptors are plain integers and always non-blocking, because a File
// may turn the shared description to blocking and that stops a Node worker's event loop.
package sockets

import (
	"errors"
	"fmt"
	"net/netip"
)

// Network is the kind of a listening address.
type Network uint8

// The networks.
const (
	TCP Network = iota
	Unix
	UDP
)

// Family is the IP version of an address.
type Family uint8

// The families.
const (
	AnyFamily Family = iota // both when no host is given; else as the host says
	IPv4
	IPv6
	IPv6Only // not IPv4 through the same socket
)

// Address is what to listen on.
type Address struct {
	Network Network `json:"network"`
	Family  Family  `json:"family"`
	Host    string  `json:"host"` // an IP address, with zone if any; "": all of this machine
	Port    int     `json:"port"` // 0: any free one
	Path    string  `json:"path"` // of a Unix socket; "@name" is an abstract one

	Readable  bool `json:"readable"` // Unix: everybody may read the socket file
	Writable  bool `json:"writable"`
	ReuseAddr bool `json:"reuse_addr"` // UDP: SO_REUSEADDR as asked for
}

// String is for messages: "[::]:3000", "/run/app.sock".
func (a Address) String() string {
	if a.Network == Unix {
		return a.Path
	}
	host := a.Host
	if host == "" {
		host = "*"
	}
	return fmt.Sprintf("%s:%d", host, a.Port)
}

// Sharing is how the slots of a group listen.
type Sharing uint8

// The ways of sharing.
const (
	PerSlot Sharing = iota // a socket for each
	Single                 // one for all
)

// SharingOf is the way that fits an address on this platform. Several Unix sockets cannot have
// one path; several UDP sockets would stick each client to one worker.
func SharingOf(a Address) Sharing {
	if a.Network == TCP && balances {
		return PerSlot
	}
	return Single
}

// DefaultBacklog is Node's; the kernel cuts it to net.core.somaxconn.
const DefaultBacklog = 511

// ErrNotOpen means that a slot has no socket in the group.
var ErrNotOpen = errors.New("no socket for this slot")

// candidates are the addresses to try for a in order: all of this machine is IPv6 with
// IPv4 through it, and IPv4 alone only where there is no IPv6.
func candidates(a Address) ([]bind, error) {
	if a.Host == "" {
		return anyHost(a), nil
	}
	ip, err := netip.ParseAddr(a.Host)
	if err != nil {
		return nil, fmt.Errorf("cannot listen on %s: %w", a, errInvalid)
	}
	if ip.Is4() {
		return []bind{{ip: ip, port: a.Port}}, nil
	}
	return []bind{{ip: ip, port: a.Port, v6only: a.Family == IPv6Only}}, nil
}

func anyHost(a Address) []bind {
	v4 := bind{ip: netip.IPv4Unspecified(), port: a.Port}
	v6 := bind{ip: netip.IPv6Unspecified(), port: a.Port, v6only: a.Family == IPv6Only}
	switch {
	case a.Family == IPv4:
		return []bind{v4}
	case a.Family == IPv6 || a.Family == IPv6Only:
		return []bind{v6}
	case a.Network == UDP: // Node's dgram says which
		return []bind{v4}
	}
	return []bind{v6, v4}
}

// bind is one attempt.
type bind struct {
	ip     netip.Addr
	port   int
	v6only bool
}
