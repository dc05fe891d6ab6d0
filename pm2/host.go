package pm2

import (
	"math"

	"gpm/app"
)

// HostMetrics are the machine's figures under pm2's names, in its order and units: slist and getSystemData.
func HostMetrics(h app.Host) *Object {
	o := &Object{}
	add := func(name string, value float64, unit string) {
		o.Set(name, Metric{Value: rounded(value, 3), Type: "metric", Unit: unit, Historic: true})
	}
	add("CPU Usage", rounded(h.CPU, 1), "%")
	add("RAM Usage", rounded(h.Memory, 1), "%")
	add("RAM Total", float64(h.MemoryTotal), "b")
	add("RAM Available", float64(h.MemoryAvailable), "b")
	add("RAM Active", float64(h.MemoryActive), "b")
	for _, n := range h.Nets {
		add("net:rx_5:"+n.Name, n.Received/mega, "mb/s")
		add("net:tx_5:"+n.Name, n.Sent/mega, "mb/s")
		add("net:rx_errors_60:"+n.Name, n.ErrorsIn, "/min")
		add("net:tx_errors_60:"+n.Name, n.ErrorsOut, "/min")
		add("net:rx_dropped_60:"+n.Name, n.DroppedIn, "/min")
		add("net:tx_dropped_60:"+n.Name, n.DroppedOut, "/min")
	}
	add("Disk Reads", h.DiskRead/mega, "mb/s")
	add("Disk Writes", h.DiskWrite/mega, "mb/s")
	for _, f := range h.Filesystems {
		add("fs:use:"+f.Path, rounded(f.Used, 2), "%")
		add("fs:size:"+f.Path, rounded(float64(f.Size)/(1<<30), 2), "gb")
	}
	return o
}

const mega = 1 << 20

func rounded(f float64, digits int) float64 {
	scale := math.Pow10(digits)
	return math.Round(f*scale) / scale
}
