package app

import "time"

// Inspection is something that a Node process can be asked about itself while it runs.
type Inspection string

// The inspections.
const (
	InspectModules     Inspection = "modules"      // which files it has loaded
	InspectHeap        Inspection = "heap"         // a .heapsnapshot
	InspectCPUProfile  Inspection = "cpu profile"  // a .cpuprofile
	InspectHeapProfile Inspection = "heap profile" // a .heapprofile: which functions allocate
)

// InspectRequest asks Node processes about themselves. The answer is a stream of Inspected.
type InspectRequest struct {
	Selectors []string      `json:"selectors"`
	What      Inspection    `json:"what"`
	Time      time.Duration `json:"time,omitempty"` // of a profile
	Dir       string        `json:"dir,omitempty"`  // absolute; where files are made, under names of their own
	File      string        `json:"file,omitempty"` // absolute; exactly this file, of the one process that is selected
}

// Inspected is what came of it for one process.
type Inspected struct {
	ID      int      `json:"id"`
	Name    string   `json:"name"`
	File    string   `json:"file,omitempty"`    // that was written
	Size    int64    `json:"size,omitempty"`    // of the file, in bytes
	Modules []string `json:"modules,omitempty"` // absolute paths, sorted
	Error   *Error   `json:"error,omitempty"`
}
