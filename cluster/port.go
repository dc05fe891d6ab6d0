package cluster

import (
	"gpm/app"
	"gpm/cluster/sockets"
)

// portReason says why an address cannot be had, and whose it is. Looking through /proc takes a moment.
func portReason(at sockets.Address, forbidden bool) string {
	if forbidden && at.Network != sockets.Unix {
		return at.String() + " is not allowed: ports below 1024 are for root, or programs with CAP_NET_BIND_SERVICE"
	}
	if forbidden {
		return at.String() + " is not allowed"
	}
	reason := at.String() + " is in use"
	if holders, err := sockets.FindHolders(at); err == nil && len(holders) > 0 {
		reason += " by " + holders[0].String()
	}
	return reason
}

// portTaken tells whose an address is that a worker could not have.
func (h *hub) portTaken(w *worker, at sockets.Address) {
	ref, pid := w.Ref, w.pid
	h.work.Go(func() { // ends by itself
		h.event(ref, app.Event{Kind: app.EventPort, PID: pid, Reason: portReason(at, false)})
	})
}

// explain tells about the address that a process complains of in its last words: one that binds by itself, as in fork
// mode. What the hub binds for a worker it has told about.
func (m *Member) explain(events []app.Event) {
	for _, ev := range events {
		if ev.Kind != app.EventExit || ev.Exit == nil || ev.Exit.Code == 0 {
			continue
		}
		c, found := sockets.FindComplaint(ev.Lines)
		if !found {
			c, found = sockets.FindComplaint(ev.Out)
		}
		if found {
			m.group.owners.Go(func() { // ends by itself
				m.report(app.Event{Kind: app.EventPort, PID: ev.PID, Reason: portReason(c.Address, c.Forbidden)})
			})
		}
	}
}
