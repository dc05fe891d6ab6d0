package pm2

import (
	"fmt"
	"maps"
	"os/user"
	"slices"
	"strconv"

	"gpm/app"
)

// nodeVersion is what the app says, or what is seen of it; "" for no Node.
func nodeVersion(p Process) string {
	if p.NodeVersion == "" && p.Usage != nil && p.Usage.Node != nil {
		return p.Usage.Node.Version
	}
	return p.NodeVersion
}

// actions are those that the app has announced.
func actions(p Process) []app.CustomAction {
	if p.Actions == nil {
		return []app.CustomAction{}
	}
	return p.Actions
}

// monitored are the figures of Node under pm2's names, and those that the app reports.
func monitored(p Process) *Object {
	o := &Object{}
	if p.Usage != nil && p.Usage.Node != nil {
		addNode(o, *p.Usage.Node)
	}
	for _, name := range slices.Sorted(maps.Keys(p.Metrics)) {
		o.Set(name, p.Metrics[name])
	}
	return o
}

// addNode has numbers of two digits as text where pm2 has.
func addNode(o *Object, n app.NodeUsage) {
	add := func(name, kind, unit string, value any) {
		o.Set(name, Metric{Value: value, Type: kind, Unit: unit, Historic: true})
	}
	text := func(f float64) string { return fmt.Sprintf("%.2f", f) }
	add("Heap Size", "internal/v8/heap/total", "MiB", text(float64(n.HeapTotal)/mega))
	add("Heap Usage", "internal/v8/heap/usage", "%", rounded(100*float64(n.HeapUsed)/float64(max(1, n.HeapTotal)), 2))
	add("Used Heap Size", "internal/v8/heap/used", "MiB", text(float64(n.HeapUsed)/mega))
	add("Active requests", "internal/libuv/requests", "", n.Requests)
	add("Active handles", "internal/libuv/handles", "", n.Handles)
	add("Event Loop Latency", "internal/libuv/latency/p50", "ms", text(n.LoopP50))
	add("Event Loop Latency p95", "internal/libuv/latency/p95", "ms", text(n.LoopP95))
	add("Event Loop Latency p99", "internal/libuv/latency/p99", "ms", text(n.LoopP99))
}

// owner is whom the app runs as, in numbers as pm2 has them.
func owner(o *Object, s app.Spec) {
	if s.User == "" && s.Group == "" {
		return
	}
	uid, gid := s.User, s.Group
	if u, err := user.Lookup(s.User); err == nil {
		uid = u.Uid
		if gid == "" {
			gid = u.Gid
		}
	}
	if g, err := user.LookupGroup(gid); err == nil {
		gid = g.Gid
	}
	for _, id := range []Member{{"uid", uid}, {"gid", gid}} {
		if n, err := strconv.Atoi(fmt.Sprint(id.Value)); err == nil {
			id.Value = n
		}
		if id.Value != "" {
			o.Set(id.Key, id.Value)
		}
	}
}
