package cluster

import (
	"net"
	"net/netip"
	"strconv"
	"strings"

	"gpm/app"
	"gpm/cluster/sockets"
)

// ParseListen reads an address of a spec: tcp://host:port, udp://host:port or unix:///path. No host means
// all addresses of this machine; a host is an IP address, or localhost.
func ParseListen(text string) (sockets.Address, error) {
	scheme, rest, ok := strings.Cut(text, "://")
	invalid := app.Errorf(app.CodeInvalid, "cannot listen on %q: not an address", text).
		WithHint("addresses are like tcp://0.0.0.0:8000, tcp://:8000, udp://:53, unix:///run/app.sock")
	switch {
	case !ok:
		return sockets.Address{}, invalid
	case scheme == "unix" && strings.HasPrefix(rest, "/") && len(rest) < 108: // sockaddr_un, unix(7)
		return sockets.Address{Network: sockets.Unix, Path: rest}, nil
	case scheme != "tcp" && scheme != "udp":
		return sockets.Address{}, invalid
	}
	host, portText, err := net.SplitHostPort(rest)
	port, portErr := strconv.ParseUint(portText, 10, 16)
	if host == "localhost" {
		host = "127.0.0.1"
	}
	if ip, ipErr := netip.ParseAddr(host); err != nil || portErr != nil || host != "" && (ipErr != nil || !ip.IsValid()) {
		return sockets.Address{}, invalid
	}
	at := sockets.Address{Host: host, Port: int(port)}
	if scheme == "udp" {
		at.Network = sockets.UDP
	}
	return at, nil
}

// listenKey is how a declared address is known among those of the app.
func listenKey(text string) string { return "listen:" + text }

// give adds the declared sockets to what a process is started with, from descriptor fd on.
func (h *hub) give(w *worker, addresses []string, gear *Gear) error {
	for i, text := range addresses {
		at, err := ParseListen(text)
		if err != nil {
			return err
		}
		key := listenKey(text)
		sharing := sockets.PerSlot
		if h.isShared() {
			sharing = sockets.Single
		}
		l, err := h.join(key, at, sharing, 0, w.seat)
		if err != nil {
			return h.taken(at, err)
		}
		fd, err := l.Socket(w.seat)
		if err != nil {
			return err
		}
		if err := sockets.SetBlocking(fd); err != nil { // as systemd gives them
			return err
		}
		w.keys[key] = false
		gear.Files[firstFD+i] = h.socketName(l, w.seat)
	}
	return nil
}

// taken names who has an address.
func (h *hub) taken(at sockets.Address, err error) error {
	if holders, findErr := sockets.FindHolders(at); findErr == nil && len(holders) > 0 {
		return app.Errorf(app.CodeConflict, "%w: it belongs to %s", err, holders[0])
	}
	return err
}

// serves says that a process has its declared sockets; when it takes connections from them it does not tell.
func (h *hub) serves(w *worker) {
	for key := range w.keys {
		if strings.HasPrefix(key, listenKey("")) {
			w.keys[key] = true
			h.touchWorker(w.Ref)
			h.steer(key)
		}
	}
}
