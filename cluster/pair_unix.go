//go:build unix

package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"

	"gpm/cluster/primary"
	"gpm/ipc/channel"
)

// runtimes are those that speak the cluster protocol, by the name of their program.
var runtimes = map[string]primary.Runtime{"node": primary.Node, "bun": primary.Bun, "deno": primary.Deno}

// pair makes a connection with a process to come: our end is kept for ever, the other until it has started.
func (h *hub) pair(name string) (*os.File, error) {
	ours, theirs, err := channel.Pair()
	if err != nil {
		return nil, err
	}
	defer theirs.Close()
	err = h.call(func(ctx context.Context) error {
		return errors.Join(h.keeper.Hold(ctx, name, ours), h.keeper.Hold(ctx, lentName(name), theirs))
	})
	if err != nil {
		ours.Close()
		return nil, fmt.Errorf("cannot keep a connection: %w", err)
	}
	return ours, nil
}
