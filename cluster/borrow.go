package cluster

import (
	"slices"
	"time"

	"gpm/cluster/sockets"
)

// foreignSeat is where the socket of the program sits from which an app moves here. No connection is steered to it while
// a worker serves; it is open until that program must have ended, so that the kernel's order of the group stays known.
const foreignSeat = -2

// borrow makes the socket of another program the first of an address, and gives a seat one beside it.
func (h *hub) borrow(key string, at sockets.Address, backlog, seat int) (*listener, error) {
	group, err := sockets.Borrow(at, foreignSeat, backlog)
	if err != nil {
		return nil, err
	}
	l := &listener{Group: group, key: key}
	theirs, _ := l.Socket(foreignSeat) // it is what the group was made of
	h.hold(h.socketName(l, foreignSeat), theirs)
	h.listeners[key] = l
	if _, err := h.join(key, at, sockets.PerSlot, backlog, seat); err != nil {
		h.leave(l, foreignSeat)
		return nil, err
	}
	time.AfterFunc(time.Until(h.spec().AwaitPort), func() {
		h.box.post(func() { h.vacate(key, foreignSeat) })
	})
	return l, nil
}

// sharedReason says that a worker serves an address although another program has it.
func sharedReason(at sockets.Address) string {
	return at.String() + " is shared with the program that has it, for the app moves here"
}

// isForeign says that only the socket of another program is left.
func (l *listener) isForeign() bool { return slices.Equal(l.Slots(), []int{foreignSeat}) }
