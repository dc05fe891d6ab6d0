package metrics

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/shirou/gopsutil/v3/cpu"
	"github.com/shirou/gopsutil/v3/disk"
	"github.com/shirou/gopsutil/v3/load"
	"github.com/shirou/gopsutil/v3/mem"
	"github.com/shirou/gopsutil/v3/net"

	"gpm/app"
)

// hostSampler looks when it is asked, and not more often than once a second.
type hostSampler struct {
	mu       sync.Mutex // guards what follows, and is held while looking
	counters counters
	last     app.Host
}

// counters are what only ever grows; figures are their differences.
type counters struct {
	at                  time.Time
	busy, all           float64 // seconds over all cores
	diskRead, diskWrite uint64
	nets                map[string]net.IOCountersStat
}

// A figure over a long time says nothing of now: then a second look follows at once.
const (
	hostStale = time.Minute
	hostPause = 100 * time.Millisecond
)

// Host returns the machine's figures, at most one second old.
func (s *Sampler) Host(ctx context.Context) app.Host {
	h := &s.host
	h.mu.Lock()
	defer h.mu.Unlock()
	if time.Since(h.counters.at) < fresh {
		return h.last
	}
	if time.Since(h.counters.at) > hostStale {
		h.counters = count(ctx)
		select {
		case <-time.After(hostPause):
		case <-ctx.Done():
		}
	}
	now := count(ctx)
	h.last = rates(h.counters, now)
	h.counters = now
	addStock(ctx, &h.last)
	return h.last
}

func count(ctx context.Context) counters {
	c := counters{at: time.Now(), nets: map[string]net.IOCountersStat{}}
	if t, err := cpu.TimesWithContext(ctx, false); err == nil && len(t) == 1 {
		c.all = t[0].User + t[0].System + t[0].Nice + t[0].Idle + t[0].Iowait + t[0].Irq + t[0].Softirq + t[0].Steal
		c.busy = c.all - t[0].Idle - t[0].Iowait
	}
	if disks, err := disk.IOCountersWithContext(ctx); err == nil {
		for _, name := range wholeDisks(slices.Sorted(maps.Keys(disks))) {
			c.diskRead += disks[name].ReadBytes
			c.diskWrite += disks[name].WriteBytes
		}
	}
	if nets, err := net.IOCountersWithContext(ctx, true); err == nil {
		for _, n := range nets {
			c.nets[n.Name] = n
		}
	}
	return c
}

// wholeDisks leaves out the partitions, whose bytes their disk counts too: sda1 beside sda.
func wholeDisks(names []string) []string {
	var out []string
	for _, name := range names { // sorted: a disk comes before its partitions
		whole := !slices.ContainsFunc(out, func(disk string) bool { return strings.HasPrefix(name, disk) })
		if whole && !strings.HasPrefix(name, "loop") && !strings.HasPrefix(name, "ram") {
			out = append(out, name)
		}
	}
	return out
}

// rates is what happened between two looks.
func rates(before, now counters) app.Host {
	var h app.Host
	seconds := now.at.Sub(before.at).Seconds()
	if seconds <= 0 {
		return h
	}
	if all := now.all - before.all; all > 0 {
		h.CPU = min(max(0, 100*(now.busy-before.busy)/all), 100)
	}
	per := func(before, now uint64) float64 {
		if now < before { // a device was removed, or a counter began again
			return 0
		}
		return float64(now-before) / seconds
	}
	h.DiskRead, h.DiskWrite = per(before.diskRead, now.diskRead), per(before.diskWrite, now.diskWrite)
	for _, name := range slices.Sorted(maps.Keys(now.nets)) {
		b, n := before.nets[name], now.nets[name]
		h.Nets = append(h.Nets, app.Net{
			Name: name, Received: per(b.BytesRecv, n.BytesRecv), Sent: per(b.BytesSent, n.BytesSent),
			ErrorsIn: 60 * per(b.Errin, n.Errin), ErrorsOut: 60 * per(b.Errout, n.Errout),
			DroppedIn: 60 * per(b.Dropin, n.Dropin), DroppedOut: 60 * per(b.Dropout, n.Dropout),
		})
	}
	return h
}

// addStock adds what is no rate.
func addStock(ctx context.Context, h *app.Host) {
	if m, err := mem.VirtualMemoryWithContext(ctx); err == nil {
		h.Memory, h.MemoryTotal = m.UsedPercent, int64(m.Total)
		h.MemoryAvailable, h.MemoryActive = int64(m.Available), int64(m.Active)
	}
	if l, err := load.AvgWithContext(ctx); err == nil {
		h.Load1, h.Load5, h.Load15 = l.Load1, l.Load5, l.Load15
	}
	parts, err := disk.PartitionsWithContext(ctx, false)
	if err != nil {
		return
	}
	seen := map[string]bool{}
	for _, p := range parts {
		if seen[p.Device] { // the same one, mounted a second time
			continue
		}
		seen[p.Device] = true
		if u, err := disk.UsageWithContext(ctx, p.Mountpoint); err == nil && u.Total > 0 {
			h.Filesystems = append(h.Filesystems, app.Filesystem{Path: p.Mountpoint, Size: int64(u.Total), Used: u.UsedPercent})
		}
	}
}
