package cluster

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"

	"gpm/cluster/primary"
	"gpm/cluster/sockets"
	"gpm/probe"
)

// errNotListening says that a worker does not serve an address (yet).
var errNotListening = errors.New("it does not listen there")

// dialer connects to one process, also where it shares its address with others: such a connection goes
// by the worker's channel and not through the address.
func (h *hub) dialer(ref Ref) probe.Dial {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		key, shared, err := h.sharedKey(ctx, ref, network, address)
		if err != nil {
			return nil, err
		}
		if shared {
			conn, err := h.hand(ctx, ref, key)
			if !errors.Is(err, errors.ErrUnsupported) {
				return conn, err
			} // Windows: any worker may answer
		}
		return new(net.Dialer).DialContext(ctx, network, address)
	}
}

// Dialer connects to the process of an instance, see dialer.
func (m *Member) Dialer(seq uint64) probe.Dial {
	h := m.group.existingHub()
	if h == nil {
		return nil
	}
	return h.dialer(Ref{m.ID, seq})
}

// sharedKey finds the address among those that the workers of the app share.
func (h *hub) sharedKey(ctx context.Context, ref Ref, network, address string) (key string, shared bool, err error) {
	done := h.do(ctx, func() {
		w := h.workers[ref]
		if w == nil || w.duty == offDuty {
			err = errEnded
			return
		}
		if w.number == 0 {
			return
		}
		for k, l := range h.listeners {
			if l.isAt(network, address) {
				key, shared = k, true
				if err = nil; w.keys[k] {
					return
				}
				err = errNotListening
			}
		}
	})
	return key, shared, errors.Join(done, err)
}

// isAt says that this is where the listener is, as far as a port tells.
func (l *listener) isAt(network, address string) bool {
	if network != "tcp" || l.Held().Address.Network != sockets.TCP {
		return false
	}
	_, port, err := net.SplitHostPort(address)
	at := l.Addr()
	return err == nil && at.IsValid() && port == fmt.Sprint(at.Port())
}

// hand gives a worker one end of a new connection and returns the other.
func (h *hub) hand(ctx context.Context, ref Ref, key string) (net.Conn, error) {
	ours, theirs, err := connPair(ctx)
	if err != nil {
		return nil, err
	}
	err = h.do(ctx, func() {
		w := h.workers[ref]
		if w == nil || !w.keys[key] {
			sockets.CloseConn(theirs)
			return
		}
		h.passing.last++
		h.passing.conns[h.passing.last] = conn{fd: theirs, key: key, only: true}
		h.step(w, primary.Offer{Key: key, Token: h.passing.last})
	})
	if err != nil {
		return nil, errors.Join(err, ours.Close())
	}
	return ours, nil
}

// connPair makes a TCP connection within this machine, so that to the app it looks like any other.
func connPair(ctx context.Context) (ours net.Conn, theirs int, err error) {
	l, err := net.ListenTCP("tcp", net.TCPAddrFromAddrPort(netip.MustParseAddrPort("127.0.0.1:0")))
	if err != nil {
		return nil, -1, err
	}
	defer l.Close()
	ours, err = new(net.Dialer).DialContext(ctx, "tcp", l.Addr().String())
	if err != nil {
		return nil, -1, err
	}
	other, err := acceptFrom(l, ours.LocalAddr())
	if err == nil {
		var f *os.File
		if f, err = other.File(); err == nil {
			theirs, err = sockets.Descriptor(f)
		}
		err = errors.Join(err, other.Close())
	}
	if err != nil {
		return nil, -1, errors.Join(err, ours.Close())
	}
	return ours, theirs, nil
}

// acceptFrom passes over connections of others.
func acceptFrom(l *net.TCPListener, from net.Addr) (*net.TCPConn, error) {
	for {
		c, err := l.AcceptTCP()
		if err != nil || c.RemoteAddr().String() == from.String() {
			return c, err
		}
		_ = c.Close() //nolint:errcheck // a stranger's
	}
}
