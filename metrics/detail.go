package metrics

import (
	"context"

	"github.com/shirou/gopsutil/v3/process"

	"gpm/app"
)

// Detail returns every figure for the tree under the roots. The kernel walks the
// page tables of each process for PSS and heap, so it is for one look at a few trees.
// What the platform or the user's rights withhold stays 0.
func (s *Sampler) Detail(ctx context.Context, roots ...int) app.Usage {
	u, pids := s.sampleTree(ctx, roots)
	for _, pid := range pids {
		if ctx.Err() != nil {
			break
		}
		if p, err := process.NewProcessWithContext(ctx, int32(pid)); err == nil {
			addDetail(ctx, &u, p)
		}
	}
	return u
}

// sampleTree is Sample for one tree as it is now, with the pids of its processes.
func (s *Sampler) sampleTree(ctx context.Context, roots []int) (app.Usage, []int) {
	u := s.sample(ctx, map[int][]int{0: roots}, 0)[0]
	s.mu.Lock()
	defer s.mu.Unlock()
	var pids []int
	for _, i := range s.last.tree(roots) {
		pids = append(pids, s.last.procs[i].pid)
	}
	return u, pids
}

func addDetail(ctx context.Context, u *app.Usage, p *process.Process) {
	addMemory(ctx, u, p)
	if n, err := p.NumFDsWithContext(ctx); err == nil {
		u.Files += int(n)
	}
	if io, err := p.IOCountersWithContext(ctx); err == nil {
		u.ReadIO += int64(io.ReadBytes)
		u.WriteIO += int64(io.WriteBytes)
	}
}
