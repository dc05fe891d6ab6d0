package app

// Host is the machine as a whole. Rates are those since the look before.
type Host struct {
	CPU             float64      `json:"cpu"`    // percent of all cores
	Memory          float64      `json:"memory"` // percent in use
	MemoryTotal     int64        `json:"memory_total"`
	MemoryAvailable int64        `json:"memory_available"`
	MemoryActive    int64        `json:"memory_active"`
	Load1           float64      `json:"load1"` // load averages; 0 where the platform has none
	Load5           float64      `json:"load5"`
	Load15          float64      `json:"load15"`
	DiskRead        float64      `json:"disk_read"` // bytes a second
	DiskWrite       float64      `json:"disk_write"`
	Nets            []Net        `json:"nets"`
	Filesystems     []Filesystem `json:"filesystems"`
}

// Net is a network interface, in bytes a second and packets a minute.
type Net struct {
	Name       string  `json:"name"`
	Received   float64 `json:"received"`
	Sent       float64 `json:"sent"`
	ErrorsIn   float64 `json:"errors_in"`
	ErrorsOut  float64 `json:"errors_out"`
	DroppedIn  float64 `json:"dropped_in"`
	DroppedOut float64 `json:"dropped_out"`
}

// Filesystem is a mounted file system of a device.
type Filesystem struct {
	Path string  `json:"path"`
	Size int64   `json:"size"`
	Used float64 `json:"used"` // percent
}
