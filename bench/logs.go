//go:build linux

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// lineLength is that of the lines printed, with their ends.
const lineLength = 100

// stampLength is what the stamped log has on top of each line.
const stampLength = len("2006-01-02 15:04:05.000: ")

// floods measures how fast the output of one app at full speed gets into a file.
type floods struct {
	dir   string
	self  string // this program, which is the app too
	lines int
}

// newFloods makes the folder of the logs.
func newFloods(dir string, lines int) (*floods, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	f := &floods{dir: filepath.Join(dir, "floods"), self: self, lines: lines}
	return f, os.MkdirAll(f.dir, 0o755)
}

// bytes is what the app prints.
func (f *floods) bytes() int64 { return int64(f.lines) * lineLength }

// app is the command line of an app that prints everything and ends, after noting its start in a file.
func (f *floods) app(name string) []string {
	return []string{f.self, "-flood", strconv.Itoa(f.lines), filepath.Join(f.dir, name+".began")}
}

func (f *floods) file(name string) string { return filepath.Join(f.dir, name+".log") }

// wait returns how long it took from the app's first line until the file has all.
func (f *floods) wait(ctx context.Context, name string, size int64) (time.Duration, error) {
	for limit := time.Now().Add(5 * time.Minute); ctx.Err() == nil && time.Now().Before(limit); time.Sleep(time.Millisecond) {
		st, err := os.Stat(f.file(name))
		if err != nil || st.Size() < size {
			continue
		}
		ended := time.Now()
		text, err := os.ReadFile(filepath.Join(f.dir, name+".began"))
		if err != nil {
			return 0, err
		}
		began, err := strconv.ParseInt(string(text), 10, 64)
		return ended.Sub(time.Unix(0, began)), err
	}
	return 0, fmt.Errorf("the log %s does not fill: %w", name, errors.Join(ctx.Err(), context.DeadlineExceeded))
}

// cat is what a manager is measured by: program | cat > file.
func (f *floods) cat(ctx context.Context) (time.Duration, error) {
	cmd := exec.CommandContext(ctx, "sh", "-c", strings.Join(f.app("cat"), " ")+" | cat > "+f.file("cat"))
	if out, err := cmd.CombinedOutput(); err != nil {
		return 0, fmt.Errorf("cannot run cat: %w\n%s", err, out)
	}
	return f.wait(ctx, "cat", f.bytes())
}

// under has a manager run the app, and returns how long that took and what CPU time the manager used.
func (f *floods) under(ctx context.Context, m *manager, name string, size int64, options ...string) (took, cpu time.Duration, err error) {
	app := f.app(name)
	args := append([]string{"start", app[0], "--name", name, "--no-autorestart", "-o", f.file(name), "-e", "/dev/null"}, options...)
	before, err := cpuTime(m.pids())
	if err != nil {
		return 0, 0, err
	}
	if _, _, err := m.run(ctx, append(append(args, "--"), app[1:]...)...); err != nil {
		return 0, 0, err
	}
	if took, err = f.wait(ctx, name, size); err != nil {
		return 0, 0, err
	}
	after, err := cpuTime(m.pids())
	return took, after - before, err
}

const supervisorConfig = `[supervisord]
nodaemon=true
logfile=/dev/null
logfile_maxbytes=0
pidfile=%[1]s/supervisord.pid
user=root
[program:flood]
command=%[2]s
autorestart=false
startsecs=0
stdout_logfile=%[3]s
stdout_logfile_maxbytes=0
stderr_logfile=/dev/null
`

// supervisord is Debian's, if it is installed; 0 = it is not.
func (f *floods) supervisord(ctx context.Context) (time.Duration, error) {
	bin, err := exec.LookPath("supervisord")
	if err != nil {
		progress("supervisord is not there (apt-get install supervisor)")
		return 0, nil
	}
	config := filepath.Join(f.dir, "supervisord.conf")
	text := fmt.Sprintf(supervisorConfig, f.dir, strings.Join(f.app("supervisord"), " "), f.file("supervisord"))
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		return 0, err
	}
	cmd := exec.CommandContext(ctx, bin, "-n", "-c", config)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	took, err := f.wait(ctx, "supervisord", f.bytes())
	_ = cmd.Process.Signal(os.Interrupt)
	_ = cmd.Wait() // its code says that it was interrupted
	if err != nil {
		return 0, fmt.Errorf("supervisord: %w\n%s", err, out.String())
	}
	return took, nil
}

// measureFloods fills the rows about one app at full speed and about the end of a large log.
func measureFloods(ctx context.Context, r *report, gpm, pm2 *manager) error {
	f, err := newFloods(filepath.Dir(gpm.scripts), r.lines)
	if err != nil {
		return err
	}
	progress("printing %d lines under each", f.lines)
	var rates [4]float64 // cat, raw, stamped, pm2
	mb := float64(f.bytes()) / 1e6
	cat, err := f.cat(ctx)
	if err != nil {
		return err
	}
	peak, err := peakMemory(gpm)
	if err != nil {
		return err
	}
	raw, rawCPU, err := f.under(ctx, gpm, "raw", f.bytes(), "--no-log-rotate")
	if err != nil {
		return err
	}
	grown, err := peakMemory(gpm)
	if err != nil {
		return err
	}
	stamped, _, err := f.under(ctx, gpm, "stamped", f.bytes()+int64(f.lines*stampLength), "--no-log-rotate", "--log-date-format", "YYYY-MM-DD HH:mm:ss.SSS")
	if err != nil {
		return err
	}
	other, otherCPU, err := f.under(ctx, pm2, "pm2", f.bytes(), "--interpreter", "none")
	if err != nil {
		return err
	}
	third, err := f.supervisord(ctx)
	if err != nil {
		return err
	}
	for i, d := range []time.Duration{cat, raw, stamped, other} {
		rates[i] = mb / d.Seconds()
	}
	r.addRatio(fmt.Sprintf("log of one app at full speed, against `program | cat > file` (%.0f MB/s)", rates[0]), rates[1]/rates[0], 1)
	r.addRatio("the same with timestamps", rates[2]/rates[0], 0.6)
	raws := []float64{rates[1], rates[3]}
	if third > 0 {
		raws = append(raws, mb/third.Seconds())
	}
	r.addMore("log of one app at full speed", "MB/s", raws)
	r.addMore("the same with timestamps", "MB/s", rates[2:3])
	perMB := []float64{milliseconds(rawCPU) / mb, milliseconds(otherCPU) / mb}
	r.add("CPU of the manager for each MB logged", "ms", perMB, "≤ 1/10 of pm2's", perMB[1]/10)
	r.add("memory growth of the manager under it (peak)", "MB", []float64{grown - peak}, "< 5 MB", 5)
	if err := f.lastLines(ctx, r, gpm, pm2); err != nil {
		return err
	}
	for m, names := range map[*manager][]string{gpm: {"raw", "stamped"}, pm2: {"pm2"}} {
		if _, _, err := m.run(ctx, append([]string{"delete"}, names...)...); err != nil {
			return err
		}
	}
	return os.RemoveAll(f.dir)
}

// lastLines times the end of the log that the flood has left.
func (f *floods) lastLines(ctx context.Context, r *report, gpm, pm2 *manager) error {
	progress("reading the end of a large log %d times", r.runs)
	took := make([][]float64, 2)
	for range r.runs {
		for i, m := range []*manager{gpm, pm2} {
			name := []string{"raw", "pm2"}[i]
			d, out, err := m.run(ctx, "logs", name, "--lines", "1000", "--nostream", "--raw", "--out")
			if err != nil {
				return err
			}
			if n := strings.Count(out, "\n"); n < 1000 {
				return fmt.Errorf("%s logs prints %d lines", m.name, n)
			}
			took[i] = append(took[i], milliseconds(d))
		}
	}
	r.add(fmt.Sprintf("`logs --lines 1000` of a file of %d MB, whole process", f.bytes()/1_000_000), "ms", medians(took), "≤ 20 ms", 20)
	return nil
}

// measurePaced has many apps print at a steady rate. It is gpm alone.
func measurePaced(ctx context.Context, r *report, gpm *manager) error {
	const rate = 1000
	progress("%d apps print %d lines a second for %v", r.apps, rate, r.idle)
	self, err := os.Executable()
	if err != nil {
		return err
	}
	args := []string{"start", self, "--name", "paced", "-i", strconv.Itoa(r.apps), "-x", "--no-autorestart", "-e", "/dev/null", "--", "-paced", strconv.Itoa(rate)}
	if _, _, err := gpm.run(ctx, args...); err != nil {
		return err
	}
	if err := pause(ctx, r.settle); err != nil {
		return err
	}
	before, err := cpuTime(gpm.pids())
	if err != nil {
		return err
	}
	began := time.Now()
	if err := pause(ctx, r.idle); err != nil {
		return err
	}
	after, err := cpuTime(gpm.pids())
	if err != nil {
		return err
	}
	share := 100 * (after - before).Seconds() / time.Since(began).Seconds()
	r.add(fmt.Sprintf("%d apps × %d lines/s (of a core)", r.apps, rate), "%", []float64{share}, "≤ 10 %", 10)
	_, _, err = gpm.run(ctx, "delete", "paced")
	return err
}

// peakMemory is the largest resident size of the manager's processes together, so far, in MB.
func peakMemory(m *manager) (float64, error) {
	var kb float64
	for _, pid := range m.pids() {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		if err != nil {
			return 0, err
		}
		_, rest, _ := strings.Cut(string(text), "\nVmHWM:")
		var n float64
		if _, err := fmt.Sscan(rest, &n); err != nil {
			return 0, fmt.Errorf("cannot read the peak of process %d: %w", pid, err)
		}
		kb += n
	}
	return kb / 1e3, nil
}
