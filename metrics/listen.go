package metrics

import (
	"context"

	"github.com/shirou/gopsutil/v3/net"
)

// Listens says whether a process of a tree has a TCP socket that accepts connections.
func (s *Sampler) Listens(ctx context.Context, roots []int) bool {
	s.mu.Lock()
	s.look(map[int][]int{0: roots}, 0)
	var pids []int
	for _, i := range s.last.tree(roots) {
		pids = append(pids, s.last.procs[i].pid)
	}
	s.mu.Unlock()
	for _, pid := range pids {
		conns, err := net.ConnectionsPidWithContext(ctx, "tcp", int32(pid))
		if err != nil {
			continue // it ended, or is not ours to look at
		}
		for _, c := range conns {
			if c.Status == "LISTEN" {
				return true
			}
		}
	}
	return false
}
