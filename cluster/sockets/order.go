package sockets

import "slices"

// order is the kernel's array of the sockets of a SO_REUSEPORT group, by slot. A steer
// program returns an index into it. Sockets are added at the end; when one is closed the kernel moves
// the last into its place (net/core/sock_reuseport.c, reuseport_detach_sock).
type order []int

func (o order) join(slot int) order { return append(slices.Clone(o), slot) }

func (o order) leave(slot int) order {
	i := slices.Index(o, slot)
	if i < 0 {
		return o
	}
	o = slices.Clone(o)
	last := len(o) - 1
	o[i] = o[last]
	return o[:last]
}

// index is the kernel's index of a slot, -1 when it has none.
func (o order) index(slot int) int { return slices.Index(o, slot) }
