//go:build linux

package main

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// busyApp makes garbage as a server does, at a steady pace.
const busyApp = `
const kept = []
setInterval(() => {
  for (let i = 0; i < 5000; i++) kept[i % 100] = { i, text: 'text ' + i, list: [i, i, i, i] }
}, 10)
`

const (
	agentWarmUp = 3 * time.Second
	agentSlice  = 8 * time.Second
	// agentQuiet is how long after a look the agent has ceased to report.
	agentQuiet = 17 * time.Second
)

// measureAgent looks at the processor time of a process whose agent reports now and then not, as somebody looks or not:
// the median of the differences. When nobody looks there is nothing of the agent on the way of a request; when somebody does
// it costs the same whatever the app does, but for what the garbage collector tells. So that is what it takes of a server
// that is busy, too. The costs of requests differ from one second to the next by ten times as much.
func measureAgent(ctx context.Context, r *report, both []*manager) error {
	gpm := both[0]
	script := filepath.Join(gpm.scripts, "busy.js")
	if err := os.WriteFile(script, []byte(busyApp), 0o644); err != nil {
		return err
	}
	if _, _, err := gpm.run(ctx, "start", script, "--name", "busy"); err != nil {
		return err
	}
	_, out, err := gpm.run(ctx, "pid", "busy")
	if err != nil {
		return err
	}
	pid, err := strconv.Atoi(strings.TrimSpace(out))
	if err != nil {
		return err
	}
	if err := pause(ctx, agentWarmUp); err != nil {
		return err
	}
	var added []float64
	for run := range r.rounds {
		progress("agent, run %d", run+1)
		share, err := agentShare(ctx, gpm, pid)
		if err != nil {
			return err
		}
		added = append(added, share)
	}
	r.add("what the agent takes of a core while it reports", "%", []float64{median(added)}, "< 1 %", 1)
	_, _, err = gpm.run(ctx, "delete", "busy")
	return err
}

// agentShare returns how many percent of a core a process takes more while its agent reports.
func agentShare(ctx context.Context, gpm *manager, pid int) (float64, error) {
	if _, _, err := gpm.run(ctx, "list"); err != nil { // has the agent report
		return 0, err
	}
	looked := time.Now()
	with, err := share(ctx, pid)
	if err != nil {
		return 0, err
	}
	if err := pause(ctx, time.Until(looked.Add(agentQuiet))); err != nil {
		return 0, err
	}
	without, err := share(ctx, pid)
	return with - without, err
}

// share returns how many percent of a core a process takes during a slice of time.
func share(ctx context.Context, pid int) (float64, error) {
	before, err := cpuTime([]int{pid})
	if err != nil {
		return 0, err
	}
	began := time.Now()
	if err := pause(ctx, agentSlice); err != nil {
		return 0, err
	}
	after, err := cpuTime([]int{pid})
	return 100 * float64(after-before) / float64(time.Since(began)), err
}
