//go:build !linux

package metrics

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/shirou/gopsutil/v3/process"
)

// scan asks gopsutil, process by process. Times count from 1970.
func scan(procs []proc) (table, error) {
	all, err := process.Processes()
	if err != nil {
		return table{}, fmt.Errorf("cannot list processes: %w", err)
	}
	for _, p := range all {
		if one, ok := readProc(p); ok {
			procs = append(procs, one)
		}
	}
	slices.SortFunc(procs, func(a, b proc) int { return cmp.Compare(a.pid, b.pid) })
	return table{procs: procs, now: time.Duration(time.Now().UnixNano())}, nil
}

// readProc reads one process; figures that the platform or the user's rights
// withhold stay 0, and a process that vanishes meanwhile is left out.
func readProc(p *process.Process) (proc, bool) {
	ppid, err := p.Ppid()
	if err != nil {
		return proc{}, false
	}
	one := proc{pid: int(p.Pid), ppid: int(ppid)}
	if ms, err := p.CreateTime(); err == nil {
		one.born = time.Duration(ms) * time.Millisecond
	}
	if t, err := p.Times(); err == nil {
		one.cpu = time.Duration((t.User + t.System) * float64(time.Second))
	}
	if m, err := p.MemoryInfo(); err == nil {
		one.rss = int64(m.RSS)
	}
	if n, err := p.NumThreads(); err == nil {
		one.threads = int(n)
	}
	return one, true
}
