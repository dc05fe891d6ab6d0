//go:build linux

package e2e

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"gpm/app"
)

// inspected allocates in a function of its own, and has a module of each kind.
const inspected = `
const kept = []
require('./common.cjs')
import('./module.mjs').then(() => console.log('loaded'))
setInterval(function burn() { for (const end = Date.now() + 5; Date.now() < end; ) for (let i = 0; i < 1e4; i++) kept[i] = { i, text: 'kept ' + i } }, 10)
`

// TestInspect has running processes tell about themselves, in files that Chrome DevTools opens.
func TestInspect(t *testing.T) {
	needNode(t)
	h := newHome(t)
	common, module := h.write("common.cjs", "", 0o644), h.write("module.mjs", "export default 1", 0o644)
	script := h.write("app.cjs", inspected, 0o644)
	h.must("start", script, "-i", "2", "--hang-limit", "1s")
	h.must("start", "sleep 1000", "--name", "other")
	h.until("modules are loaded", hang, func() bool {
		return slices.Equal(lines(h.must("modules", "app")), []string{script, common, module})
	})
	pids := h.pids("app")

	snapshot := filepath.Join(h.dir, "a.heapsnapshot")
	h.must("heap", "0", "-o", snapshot)
	checkSnapshot(t, snapshot)
	h.fails("already exists", "heap", "0", "-o", snapshot)
	h.fails("2 processes into one file", "heap", "app", "-o", snapshot+"2")

	// All of the Node processes among those that are named.
	h.until("both workers are seen at work", hang, func() bool {
		busy := 0
		for r := range decodeLines[app.Inspected](h, "profile", "all", "--cpu", "300ms", "--json") {
			if readCPUProfile(t, r.File) {
				busy++
			}
		}
		return busy == 2
	})
	heap := filepath.Join(h.dir, "a.heapprofile")
	h.must("profile", "1", "500ms", "--heap", "--output", heap)
	checkHeapProfile(t, heap)

	h.fails("no Node process with an agent", "heap", "other")
	h.fails("cannot find", "modules", "nobody")
	h.fails("at most an hour", "profile", "app", "2h")
	if now := h.pids("app"); !slices.Equal(now, pids) {
		t.Errorf("processes %v became %v", pids, now)
	}
}

func (h *home) pids(name string) (pids []int) {
	for _, st := range h.instances(name) {
		pids = append(pids, st.PID)
	}
	return pids
}

// decodeLines runs a command that prints an object a line.
func decodeLines[T any](h *home, args ...string) func(yield func(T) bool) {
	return func(yield func(T) bool) {
		for _, line := range lines(h.must(args...)) {
			var v T
			if err := json.Unmarshal([]byte(line), &v); err != nil {
				h.t.Fatalf("%q: %v", line, err)
			}
			if !yield(v) {
				return
			}
		}
	}
}

func readJSON(t *testing.T, file string, into any) {
	t.Helper()
	content, err := os.ReadFile(file)
	if err == nil {
		err = json.Unmarshal(content, into)
	}
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
}

// checkSnapshot reads a heap as DevTools does: nodes and edges are rows of numbers whose columns the head names;
// edges lead to the first column of a node, names are indexes of strings.
func checkSnapshot(t *testing.T, file string) {
	t.Helper()
	var s struct {
		Snapshot struct {
			Meta struct {
				Node []string `json:"node_fields"`
				Edge []string `json:"edge_fields"`
			}
			Nodes int `json:"node_count"`
			Edges int `json:"edge_count"`
		}
		Nodes, Edges []int
		Strings      []string
	}
	readJSON(t, file, &s)
	head, columns := s.Snapshot, len(s.Snapshot.Meta.Node)
	if columns == 0 || head.Nodes == 0 || len(s.Nodes) != head.Nodes*columns || len(s.Edges) != head.Edges*len(head.Meta.Edge) {
		t.Fatalf("%d nodes, %d edges, %d and %d numbers, columns %v", head.Nodes, head.Edges, len(s.Nodes), len(s.Edges), head.Meta)
	}
	name, edges, to := slices.Index(head.Meta.Node, "name"), slices.Index(head.Meta.Node, "edge_count"), slices.Index(head.Meta.Edge, "to_node")
	count, texts := 0, 0
	for row := range slices.Chunk(s.Nodes, columns) {
		count += row[edges]
		if text := s.Strings[row[name]]; len(text) > 5 && text[:5] == "kept " {
			texts++
		}
	}
	if count != head.Edges {
		t.Errorf("the nodes have %d edges of %d", count, head.Edges)
	}
	for row := range slices.Chunk(s.Edges, len(head.Meta.Edge)) {
		if at := row[to]; at%columns != 0 || at >= len(s.Nodes) {
			t.Fatalf("an edge leads to %d", at)
		}
	}
	if texts < 1000 {
		t.Errorf("%d of the app's texts are in it", texts)
	}
}

// callFrame is where the nodes of both profiles are.
type callFrame struct{ FunctionName, URL string }

// readCPUProfile says whether the busy function is in a profile: every sample is a node of the tree, with a time of its own.
func readCPUProfile(t *testing.T, file string) (burns bool) {
	t.Helper()
	var p struct {
		StartTime, EndTime int64
		Nodes              []struct {
			ID        int
			CallFrame callFrame
			Children  []int
		}
		Samples, TimeDeltas []int
	}
	readJSON(t, file, &p)
	if len(p.Samples) == 0 || len(p.Samples) != len(p.TimeDeltas) || p.EndTime <= p.StartTime {
		t.Fatalf("%d samples, %d times, from %d to %d", len(p.Samples), len(p.TimeDeltas), p.StartTime, p.EndTime)
	}
	known := map[int]bool{}
	for _, n := range p.Nodes {
		known[n.ID] = true
		burns = burns || n.CallFrame.FunctionName == "burn"
	}
	for _, n := range p.Nodes {
		p.Samples = append(p.Samples, n.Children...)
	}
	if i := slices.IndexFunc(p.Samples, func(id int) bool { return !known[id] }); i >= 0 {
		t.Errorf("there is no node %d", p.Samples[i])
	}
	return burns
}

// checkHeapProfile: every sample is of a node of the tree.
func checkHeapProfile(t *testing.T, file string) {
	t.Helper()
	type node struct {
		ID        int
		CallFrame callFrame
		SelfSize  int64
		Children  []node
	}
	var p struct {
		Head    node
		Samples []struct{ NodeID int }
	}
	readJSON(t, file, &p)
	sizes := map[int]int64{}
	burns := false
	for left := []node{p.Head}; len(left) > 0; left = left[1:] {
		n := left[0]
		sizes[n.ID] = n.SelfSize
		burns = burns || n.CallFrame.FunctionName == "burn" && n.SelfSize > 0
		left = append(left, n.Children...)
	}
	if !burns || len(p.Samples) == 0 {
		t.Errorf("%d samples; the function that allocates is in it: %v", len(p.Samples), burns)
	}
	for _, s := range p.Samples {
		if _, ok := sizes[s.NodeID]; !ok {
			t.Fatalf("there is no node %d", s.NodeID)
		}
	}
}
