package cluster

import (
	"errors"
	"os"

	"gpm/cluster/primary"
	"gpm/ipc/channel"
)

// runtimes are those that speak the cluster protocol, by the name of their program. What Bun and Deno do here is not known.
var runtimes = map[string]primary.Runtime{"node": primary.Node}

// lender is the keeper here: it lives in this process, where nothing can outlive the daemon, so it keeps only
// what is a child's, until the child has it.
type lender interface {
	Lend(name string, handle uintptr)
}

// pair makes a connection with a process to come: the other end is lent to it under the name of ours.
func (h *hub) pair(name string) (*os.File, error) {
	keeper, ok := h.keeper.(lender)
	if !ok {
		return nil, errors.ErrUnsupported
	}
	ours, theirs, err := channel.Pair()
	if err == nil {
		keeper.Lend(lentName(name), theirs)
	}
	return ours, err
}
