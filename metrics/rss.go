package metrics

import (
	"context"

	"github.com/shirou/gopsutil/v3/process"
)

// RSS is the resident memory of the processes themselves, without their trees, in bytes. Those that
// are gone count nothing.
func RSS(ctx context.Context, pids ...int) int64 {
	var sum int64
	for _, pid := range pids {
		p := process.Process{Pid: int32(pid)}
		if m, err := p.MemoryInfoWithContext(ctx); err == nil {
			sum += int64(m.RSS)
		}
	}
	return sum
}
