package sockets

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"slices"
)

// Group is one listening address of an app, with the sockets of its slots.
type Group struct {
	addr    Address
	sharing Sharing
	backlog int
	bound   bind        // where the first socket is
	order   order       // per slot: as the kernel has them
	fds     map[int]int // slot → descriptor; Single: all slots that joined have the same
	live    []int       // as it was steered last
	policy  Policy
}

// NewGroup is a group without sockets; the first Join binds. A backlog of 0 is DefaultBacklog.
func NewGroup(a Address, s Sharing, backlog int) *Group {
	if backlog <= 0 {
		backlog = DefaultBacklog
	}
	if SharingOf(a) == Single {
		s = Single
	}
	return &Group{addr: a, sharing: s, backlog: backlog, fds: map[int]int{}}
}

// Held is a group as it is kept beside its descriptors, for the next daemon.
type Held struct {
	Address Address `json:"address"`
	Sharing Sharing `json:"sharing"`
	Backlog int     `json:"backlog"`
	Order   []int   `json:"order"` // slots; for Single: those that joined, in any order
}

// Held describes the group.
func (g *Group) Held() Held {
	slots := []int(slices.Clone(g.order))
	if g.sharing == Single {
		slots = slices.Sorted(maps.Keys(g.fds))
	}
	return Held{Address: g.addr, Sharing: g.sharing, Backlog: g.backlog, Order: slots}
}

// Adopt makes the group again from what was held. fds are the descriptors by slot, which
// the group owns from now on; Single: the same one for every slot. A slot without a descriptor, or with one
// that listens no more, has left the group since it was described. With none left: [ErrNotOpen]. Whether they block is left
// as it is, for programs share that with us.
func Adopt(h Held, fds map[int]int) (*Group, error) {
	g := NewGroup(h.Address, h.Sharing, h.Backlog)
	g.order = h.Order
	for _, slot := range h.Order {
		fd, ok := fds[slot]
		if !ok || g.sharing == PerSlot && !listens(fd) {
			g.order = g.order.leave(slot)
			continue
		}
		g.fds[slot] = fd
	}
	if len(g.fds) == 0 {
		return nil, fmt.Errorf("cannot adopt %s: %w", h.Address, ErrNotOpen)
	}
	first := g.fds[g.order[0]]
	if g.sharing == Single {
		g.order = nil
	}
	return g, g.findBound(first)
}

// Join returns the socket of a slot, bound and listening, and makes it if need be. The group
// owns it. Errors keep the errno: EADDRINUSE when anybody else listens there.
func (g *Group) Join(slot int) (int, error) {
	if fd, ok := g.fds[slot]; ok {
		return fd, nil
	}
	fd, err := g.open()
	if err != nil {
		return -1, fmt.Errorf("cannot listen on %s: %w", g.addr, err)
	}
	g.fds[slot] = fd
	if g.sharing == PerSlot {
		g.order = g.order.join(slot)
	}
	return fd, nil
}

func (g *Group) open() (int, error) {
	if g.sharing == Single {
		for _, fd := range g.fds {
			return fd, nil
		}
	}
	if g.addr.Network == Unix {
		return listenUnix(g.addr, g.backlog)
	}
	if len(g.fds) > 0 {
		return openInet(g.addr, g.bound, joining, g.backlog)
	}
	return g.first()
}

// first binds without SO_REUSEPORT, so that any other listener is in the way, also one of
// the same user that has SO_REUSEPORT; later sockets may join because it is set afterwards.
func (g *Group) first() (int, error) {
	tries, err := candidates(g.addr)
	if err != nil {
		return -1, err
	}
	role := alone
	if g.sharing == PerSlot {
		role = founding
	}
	var fd int
	for _, b := range tries {
		fd, err = openInet(g.addr, b, role, g.backlog)
		if err == nil {
			g.bound = b
			return fd, g.findBound(fd)
		}
		if !errors.Is(err, errNoIPv6) {
			return -1, err
		}
	}
	return -1, err
}

// findBound learns the port that the kernel chose.
func (g *Group) findBound(fd int) error {
	if g.addr.Network == Unix {
		return nil
	}
	at, v6only, err := localAddr(fd)
	if err != nil {
		return err
	}
	g.bound = bind{ip: at.Addr(), port: int(at.Port()), v6only: v6only}
	return nil
}

// String is the address as it was asked for.
func (g *Group) String() string { return g.addr.String() }

// Addr is where the group listens; not valid for a Unix path or before the first Join.
func (g *Group) Addr() netip.AddrPort { return netip.AddrPortFrom(g.bound.ip, uint16(g.bound.port)) }

// Socket is the descriptor of a slot.
func (g *Group) Socket(slot int) (int, error) {
	fd, ok := g.fds[slot]
	if !ok {
		return -1, fmt.Errorf("%s, slot %d: %w", g.addr, slot, ErrNotOpen)
	}
	return fd, nil
}

// Slots are those that have a socket, ascending.
func (g *Group) Slots() []int { return slices.Sorted(maps.Keys(g.fds)) }

// Steer sends new connections to the live slots only, from now on. No live slots: to all, where
// they wait. Call it after every Join as well: the program names sockets by the
// kernel's order. A group with one socket for all needs none.
func (g *Group) Steer(live []int, p Policy) error {
	g.live, g.policy = live, p
	if g.sharing == Single || len(g.order) == 0 {
		return nil
	}
	fd := g.fds[g.order[0]]
	if p == Evenly && attachTurns(fd, g.order, serving(g.order, live)) == nil {
		return nil // else it is not permitted, or the kernel is too old
	}
	if err := attach(fd, program(g.order, live, p)); err != nil {
		return fmt.Errorf("cannot steer %s: %w", g.addr, err)
	}
	return nil
}

// Queue is how many connections wait in a slot's socket to be accepted, and how many may.
func (g *Group) Queue(slot int) (waiting, limit int, err error) {
	fd, err := g.Socket(slot)
	if err != nil {
		return 0, 0, err
	}
	return queue(fd)
}

// Drain accepts what waits in a slot's own socket and gives it away; see the function Drain.
// Nothing is to be done for a socket that all slots share: the others take what waits.
func (g *Group) Drain(slot int, give func(conn int) error) (int, error) {
	fd, err := g.Socket(slot)
	if err != nil || g.sharing == Single {
		return 0, err
	}
	return Drain(fd, give)
}

// Leave closes the slot's socket, and the group when it was the last. To reset nobody, steer away from it before, and let
// Retire run. It is closed wherever else it is open: all that is between fork and exec has copies of every
// descriptor, and what waits for those would change the kernel's order when nobody counts on it. The
// group stays steered as it was, without the slot.
func (g *Group) Leave(slot int) error { return g.leave(slot, unlisten) }

// Return is Leave for a borrowed socket: who lent it goes on with it.
func (g *Group) Return(slot int) error { return g.leave(slot, func(int) error { return nil }) }

func (g *Group) leave(slot int, end func(fd int) error) error {
	fd, err := g.Socket(slot)
	if err != nil {
		return err
	}
	err = g.Steady(slot)
	delete(g.fds, slot)
	g.order = g.order.leave(slot)
	if g.sharing == Single && len(g.fds) > 0 {
		return err
	}
	if len(g.fds) == 0 {
		err = errors.Join(err, g.unlink())
	}
	if g.addr.Network == TCP {
		err = errors.Join(err, end(fd))
	}
	return errors.Join(err, closeFD(fd), g.Steer(g.live, g.policy))
}

// Steady prepares for the moment between the leaving of a slot and the next program: of the live slots it takes
// those whose places stay the same. A processor may still be about to carry the earlier program out: call Settle
// before Leave to have those too go where somebody serves.
func (g *Group) Steady(leaving int) error {
	if len(g.order) == 0 {
		return nil
	}
	last := g.order[len(g.order)-1]
	live := g.live
	steady := slices.DeleteFunc(serving(g.order, live), func(slot int) bool { return slot == leaving || slot == last })
	if len(steady) == 0 {
		return nil
	}
	err := g.Steer(steady, g.policy)
	g.live = live
	return err
}

// unlink removes the file of a Unix socket with its last user. A file that somebody else has put
// there meanwhile cannot be told from ours; Node removes it just so.
func (g *Group) unlink() error {
	if g.addr.Network != Unix || g.addr.Path == "" || g.addr.Path[0] == '@' {
		return nil
	}
	if err := os.Remove(g.addr.Path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// Close closes every socket. What waits in a queue is reset unless it was drained.
func (g *Group) Close() error {
	var all error
	for _, slot := range g.Slots() {
		all = errors.Join(all, g.Leave(slot))
	}
	return all
}

// IsShared says that all slots have the same socket.
func (g *Group) IsShared() bool { return g.sharing == Single }
