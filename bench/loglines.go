//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// measureLastLines times the end of a large log, the same file of both managers.
func measureLastLines(ctx context.Context, r *report, gpm, pm2 *manager) error {
	f, err := newFloods(filepath.Dir(gpm.scripts), r.lines)
	if err != nil {
		return err
	}
	progress("reading the end of a large log %d times", r.runs)
	if _, err := f.cat(ctx, "large"); err != nil {
		return err
	}
	both := []*manager{gpm, pm2}
	for _, m := range both {
		args := []string{"start", "/bin/true", "--name", "large", "--no-autorestart", "--interpreter", "none", "-o", f.file("large"), "-e", "/dev/null"}
		if m == gpm { // pm2 does not rotate
			args = append(args, "--no-log-rotate")
		}
		if _, _, err := m.run(ctx, args...); err != nil {
			return err
		}
	}
	took := make([][]float64, len(both))
	for range r.runs {
		for i, m := range both {
			d, out, err := m.run(ctx, "logs", "large", "--lines", "1000", "--nostream", "--raw", "--out")
			if err != nil {
				return err
			}
			if n := strings.Count(out, "\n"); n < 1000 {
				return fmt.Errorf("%s logs prints %d lines: %.500s", m.name, n, out)
			}
			took[i] = append(took[i], milliseconds(d))
		}
	}
	r.add(fmt.Sprintf("`logs --lines 1000` of a file of %d MB, whole process", f.bytes()/1_000_000), "ms", medians(took), "≤ 20 ms", 20)
	for _, m := range both {
		if _, _, err := m.run(ctx, "delete", "large"); err != nil {
			return err
		}
	}
	return os.RemoveAll(f.dir)
}

// pacedRate is how many lines a second each of many apps prints.
const pacedRate = 1000

// measurePaced has many apps print at a steady rate, under one manager after the other.
func measurePaced(ctx context.Context, r *report, gpm, pm2 *manager) error {
	var shares []float64
	for _, m := range []*manager{gpm, pm2} {
		share, err := paceUnder(ctx, r, m)
		if err != nil {
			return err
		}
		shares = append(shares, share)
	}
	r.add(fmt.Sprintf("%d apps × %d lines/s (of a core)", r.apps, pacedRate), "%", shares, "≤ 10 %", 10)
	return nil
}

// paceUnder returns the manager's share of a core. That the apps keep their rate is a part of it.
func paceUnder(ctx context.Context, r *report, m *manager) (share float64, err error) {
	progress("%s: %d apps print %d lines a second for %v", m.name, r.apps, pacedRate, r.idle)
	self, err := os.Executable()
	if err != nil {
		return 0, err
	}
	dir := filepath.Join(filepath.Dir(m.scripts), m.name+"-paced")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return 0, err
	}
	args := []string{"start", self, "--name", "paced", "-i", strconv.Itoa(r.apps), "-x", "--interpreter", "none", "--no-autorestart"}
	args = append(args, "-o", filepath.Join(dir, "out.log"), "-e", "/dev/null", "--", "-paced", strconv.Itoa(pacedRate))
	if _, _, err := m.run(ctx, args...); err != nil {
		return 0, err
	}
	if err := pause(ctx, r.settle); err != nil {
		return 0, err
	}
	before, size, err := paceFigures(m, dir)
	if err != nil {
		return 0, err
	}
	began := time.Now()
	if err := pause(ctx, r.idle); err != nil {
		return 0, err
	}
	after, grown, err := paceFigures(m, dir)
	if err != nil {
		return 0, err
	}
	seconds := time.Since(began).Seconds()
	progress("%s has written %.1f %% of the lines", m.name, 100*float64(grown-size)/lineLength/seconds/float64(r.apps*pacedRate))
	_, _, err = m.run(ctx, "delete", "paced")
	return 100 * (after - before).Seconds() / seconds, errors.Join(err, os.RemoveAll(dir))
}

// paceFigures is the CPU time that a manager has used, and the size of all that it has logged.
func paceFigures(m *manager, dir string) (cpu time.Duration, size int64, err error) {
	files, err := os.ReadDir(dir)
	if err != nil {
		return 0, 0, err
	}
	for _, file := range files {
		if st, err := file.Info(); err == nil {
			size += st.Size()
		}
	}
	cpu, err = cpuTime(m.pids())
	return cpu, size, err
}
