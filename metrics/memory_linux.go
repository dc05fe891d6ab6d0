package metrics

import (
	"context"
	"strings"

	"github.com/shirou/gopsutil/v3/process"

	"gpm/app"
)

// addMemory adds PSS and heap. Both come from one read of /proc/PID/smaps, so that
// smaps_rollup would be a second walk for a figure that is already there.
func addMemory(ctx context.Context, u *app.Usage, p *process.Process) {
	if maps, err := p.MemoryMapsWithContext(ctx, false); err == nil {
		pss, heap := sumMaps(*maps)
		u.PSS += pss
		u.Heap += heap
	}
}

// sumMaps adds up the mappings of one process, in bytes. Heap is what is resident of
// [heap] and of anonymous mappings, where allocators and runtimes keep their objects.
func sumMaps(maps []process.MemoryMapsStat) (pss, heap int64) {
	for _, m := range maps {
		pss += int64(m.Pss) << 10
		if isHeap(m.Path) {
			heap += int64(m.Rss) << 10
		}
	}
	return pss, heap
}

// isHeap knows the path of an anonymous mapping. gopsutil takes the last word of
// the line in smaps, which for a mapping without a path is the inode: "0".
func isHeap(path string) bool {
	return path == "[heap]" || path == "" || path == "0" || strings.HasPrefix(path, "[anon")
}
