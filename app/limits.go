package app

import (
	"fmt"
	"strconv"
	"strings"
)

// Limits is what an instance with all its processes may use. The zero value is no limit.
type Limits struct {
	Memory int64   `json:"memory,omitempty"` // bytes; it is killed that needs more
	CPU    float64 `json:"cpu,omitempty"`    // CPU time, in CPUs
	PIDs   int     `json:"pids,omitempty"`   // processes and threads
	IO     int64   `json:"io,omitempty"`     // bytes a second, read and written, of the disk of its directory
}

// ParseCPUs reads "1.5" or "150%".
func ParseCPUs(text string) (float64, error) {
	digits, percent := strings.CutSuffix(strings.TrimSpace(text), "%")
	n, err := strconv.ParseFloat(digits, 64)
	if err != nil || n <= 0 || n > 1e6 {
		return 0, fmt.Errorf("%q is no number of CPUs like 0.5, 2 or 150%%", text)
	}
	if percent {
		n /= 100
	}
	return n, nil
}

// Pressure is how much of the last ten seconds, in percent, something had to wait for a resource: PSI.
type Pressure struct {
	CPU    float64 `json:"cpu"`
	Memory float64 `json:"memory"`
	IO     float64 `json:"io"`
}
