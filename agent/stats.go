package agent

import "time"

// Stats is one report about the period since the one before, or since the
// subscription.
type Stats struct {
	Period    time.Duration    `json:"period"`
	Memory    Memory           `json:"memory"`
	Node      string           `json:"node"` // its version
	NewSpace  Space            `json:"newSpace"`
	OldSpace  Space            `json:"oldSpace"`
	HeapLimit int64            `json:"heapLimit"` // bytes at which V8 gives up
	GC        map[GCKind]Pause `json:"gc"`        // kinds that ran in the period
	Loop      Loop             `json:"loop"`
	Handles   int              `json:"handles"`  // that keep the app alive: servers, sockets, children
	Requests  int              `json:"requests"` // file and network operations in progress
	Left      int              `json:"left"`     // reports until the subscription needs renewal; Conn sees to it
}

// Memory is process.memoryUsage(), in bytes.
type Memory struct {
	RSS          int64 `json:"rss"`
	HeapTotal    int64 `json:"heapTotal"`
	HeapUsed     int64 `json:"heapUsed"`
	External     int64 `json:"external"`
	ArrayBuffers int64 `json:"arrayBuffers"`
}

// Space is one space of V8's heap, in bytes.
type Space struct {
	Used int64 `json:"used"`
	Size int64 `json:"size"`
}

// GCKind is a kind of garbage collection.
type GCKind string

// The kinds that Node tells apart.
const (
	Scavenge    GCKind = "scavenge"  // of the new space
	MarkSweep   GCKind = "markSweep" // of the whole heap
	Incremental GCKind = "incremental"
	Weak        GCKind = "weak"  // callbacks of weak references
	OtherGC     GCKind = "other" // kinds Node has no name for
)

// Pause sums the collections of one kind in a period.
type Pause struct {
	Count int           `json:"count"`
	Total time.Duration `json:"total"`
	Max   time.Duration `json:"max"`
}

// Loop says how late the event loop was and what share of the period it worked.
// The delay is sampled fifty times in an interval, at least every 100 ms and at most
// every 20.
type Loop struct {
	P50         time.Duration `json:"p50"`
	P95         time.Duration `json:"p95"`
	P99         time.Duration `json:"p99"`
	Max         time.Duration `json:"max"`
	Utilization float64       `json:"utilization"` // 0 to 1
}
