//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"syscall"
	"time"
)

// measureDeaths kills gpm's daemon and then its master, and asks for the list at once: it is right
// again when all apps are online in it. pm2 has no part in this, its apps do not outlive its daemon.
func measureDeaths(ctx context.Context, r *report, both []*manager) error {
	gpm := both[0]
	for _, row := range []struct {
		title  string // of the process, as ps shows it
		limit  float64
		target string
	}{
		{"gpm daemon", 1000, "≤ 1000 ms"},
		{"gpm master", 2000, "≤ 2000 ms"},
	} {
		progress("killing the %s %d times", row.title, r.runs)
		var took []float64
		for range r.runs {
			d, err := death(ctx, gpm, row.title, r.apps)
			if err != nil {
				return err
			}
			took = append(took, milliseconds(d))
		}
		r.add(fmt.Sprintf("%s killed, %d apps: list right again", row.title, r.apps), "ms", []float64{median(took)}, row.target, row.limit)
	}
	return nil
}

// death kills a process of gpm and returns how long it takes until it has a successor and the list
// shows all apps online.
func death(ctx context.Context, gpm *manager, title string, apps int) (time.Duration, error) {
	victim := titled(gpm, title)
	if victim == 0 {
		return 0, fmt.Errorf("there is no %s", title)
	}
	began := time.Now()
	if err := syscall.Kill(victim, syscall.SIGKILL); err != nil {
		return 0, err
	}
	for time.Since(began) < 30*time.Second {
		_, out, err := gpm.run(ctx, "list")
		if next := titled(gpm, title); err == nil && next != 0 && next != victim && strings.Count(out, "online") == apps {
			return time.Since(began), nil
		}
		if err := pause(ctx, time.Millisecond); err != nil {
			return 0, err
		}
	}
	return 0, errors.New("the list did not become right again")
}

// titled is the pid of the process of gpm that ps shows with this title, or 0.
func titled(gpm *manager, title string) int {
	for _, pid := range gpm.pids() {
		if line, err := commandLine(pid); err == nil && strings.HasPrefix(line, title) {
			return pid
		}
	}
	return 0
}
