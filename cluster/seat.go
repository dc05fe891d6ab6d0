package cluster

import "slices"

// A seat is a place among the sockets of each listening address. An instance has two, of which one is in use: the
// replacement that a reload starts listens in the other, to which no connection is steered before it has
// taken over. So a new version that fails has never had a client.
//
// Seats are numbered so that their order is that of the slots, whichever of the two is used.
func firstSeat(slot int) int { return 2 * slot }
func otherSeat(seat int) int { return seat ^ 1 }
func slotOf(seat int) int    { return seat / 2 }

// seat is where the process of a slot listens.
func (h *hub) seat(slot int) int {
	if seat, ok := h.seats[slot]; ok {
		return seat
	}
	return firstSeat(slot)
}

// seatFor finds a place for a new process: for a trial the other seat of its slot.
func (h *hub) seatFor(w *worker) int {
	seat := h.seat(w.slot)
	if w.duty != trial || h.isTaken(otherSeat(seat)) {
		return seat
	}
	return otherSeat(seat)
}

func (h *hub) isTaken(seat int) bool {
	for _, w := range h.workers {
		if w.seat == seat && w.duty != offDuty {
			return true
		}
	}
	return false
}

// promote makes a replacement the process of its slot: from now on it gets connections.
func (h *hub) promote(ref Ref) {
	w := h.workers[ref]
	if w == nil {
		return
	}
	if w.duty == trial {
		w.duty = onDuty
		h.touchWorker(ref)
	}
	if h.seats[w.slot] = w.seat; w.seat == firstSeat(w.slot) {
		delete(h.seats, w.slot)
	}
	h.touchSeats()
	h.steerAll(w)
}

// release closes the sockets of a seat that nobody is going to use.
func (h *hub) release(seat int) {
	if h.isTaken(seat) {
		return
	}
	for key, l := range h.listeners {
		if slices.Contains(l.Slots(), seat) {
			h.vacate(key, seat)
		}
	}
}
