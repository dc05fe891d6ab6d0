package metrics

import (
	"context"
	"sync"
	"time"

	"github.com/shirou/gopsutil/v3/cpu"
	"github.com/shirou/gopsutil/v3/load"
	"github.com/shirou/gopsutil/v3/mem"
)

// Host is the machine as a whole.
type Host struct {
	CPU    float64 `json:"cpu"`    // percent of all cores, since the look before; of the first look: since boot
	Memory float64 `json:"memory"` // percent in use
	Load1  float64 `json:"load1"`  // load averages; 0 where the platform has none
	Load5  float64 `json:"load5"`
	Load15 float64 `json:"load15"`
}

type hostSampler struct {
	mu   sync.Mutex
	at   time.Time
	busy float64 // seconds over all cores at the last look
	all  float64
	last Host
}

// Host returns the machine's figures, at most one second old.
func (s *Sampler) Host(ctx context.Context) Host {
	h := &s.host
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.at.IsZero() || time.Since(h.at) >= fresh {
		h.measure(ctx)
	}
	return h.last
}

func (h *hostSampler) measure(ctx context.Context) {
	if t, err := cpu.TimesWithContext(ctx, false); err == nil && len(t) == 1 {
		all := t[0].User + t[0].System + t[0].Nice + t[0].Idle + t[0].Iowait + t[0].Irq + t[0].Softirq + t[0].Steal
		busy := all - t[0].Idle - t[0].Iowait
		if all > h.all {
			h.last.CPU = min(max(0, 100*(busy-h.busy)/(all-h.all)), 100)
		}
		h.busy, h.all = busy, all
	}
	if m, err := mem.VirtualMemoryWithContext(ctx); err == nil {
		h.last.Memory = m.UsedPercent
	}
	if l, err := load.AvgWithContext(ctx); err == nil {
		h.last.Load1, h.last.Load5, h.last.Load15 = l.Load1, l.Load5, l.Load15
	}
	h.at = time.Now()
}
