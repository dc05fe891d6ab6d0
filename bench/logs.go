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
	return []string{f.self, "-flood", strconv.Itoa(f.lines), f.note(name)}
}

func (f *floods) note(name string) string { return filepath.Join(f.dir, name+".began") }

func (f *floods) file(name string) string { return filepath.Join(f.dir, name+".log") }

// remove makes room for the next round.
func (f *floods) remove(name string) error {
	return errors.Join(os.Remove(f.note(name)), os.Remove(f.file(name)))
}

// stall is how long a file may not grow until what it lacks counts as lost.
const stall = 10 * time.Second

// fill waits until a file has so many bytes or grows no more. It returns when it last grew and how much it lacks.
func fill(ctx context.Context, file string, size int64) (last time.Time, lacks int64, err error) {
	last = time.Now()
	have := int64(0)
	for ; have < size && time.Since(last) < stall; time.Sleep(time.Millisecond) {
		if ctx.Err() != nil {
			return last, 0, ctx.Err()
		}
		if st, err := os.Stat(file); err == nil && st.Size() > have {
			have, last = st.Size(), time.Now()
		}
	}
	return last, max(0, size-have), nil
}

// poured is what was seen of a flood.
type poured struct {
	took time.Duration
	cpu  time.Duration // of the manager
	lost int64         // bytes
}

// wait watches the log from the app's first line until it has all.
func (f *floods) wait(ctx context.Context, name string, size int64) (p poured, err error) {
	ended, lost, err := fill(ctx, f.file(name), size)
	if err != nil {
		return poured{}, err
	}
	text, err := os.ReadFile(f.note(name))
	if err != nil {
		return poured{}, err
	}
	began, err := strconv.ParseInt(string(text), 10, 64)
	return poured{took: ended.Sub(time.Unix(0, began)), lost: lost}, err
}

// flooding is one way to get the output of the app into a file, and what was seen of it, a figure for each round.
type flooding struct {
	name  string
	rival bool
	once  func(ctx context.Context, name string) (poured, error)
	rates []float64 // MB/s
	costs []float64 // ms of CPU for each MB
}

// cat is what a manager is measured by: program | cat > file.
func (f *floods) cat(ctx context.Context, name string) (poured, error) {
	cmd := exec.CommandContext(ctx, "sh", "-c", strings.Join(f.app(name), " ")+" | cat > "+f.file(name))
	if out, err := cmd.CombinedOutput(); err != nil {
		return poured{}, fmt.Errorf("cannot run cat: %w\n%s", err, out)
	}
	return f.wait(ctx, name, f.bytes())
}

// under has a manager run the app.
func (f *floods) under(m *manager, size int64, options ...string) func(context.Context, string) (poured, error) {
	return func(ctx context.Context, name string) (poured, error) {
		app := f.app(name)
		args := append([]string{"start", app[0], "--name", name, "--no-autorestart", "-o", f.file(name), "-e", "/dev/null"}, options...)
		before, err := cpuTime(m.pids())
		if err != nil {
			return poured{}, err
		}
		if _, _, err := m.run(ctx, append(append(args, "--"), app[1:]...)...); err != nil {
			return poured{}, err
		}
		p, err := f.wait(ctx, name, size)
		if err != nil {
			return poured{}, err
		}
		after, err := cpuTime(m.pids())
		if err != nil {
			return poured{}, err
		}
		p.cpu = after - before
		_, _, err = m.run(ctx, "delete", name)
		return p, err
	}
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

// supervisord is Debian's. Its start is not counted.
func (f *floods) supervisord(ctx context.Context, name string) (p poured, err error) {
	config := filepath.Join(f.dir, "supervisord.conf")
	text := fmt.Sprintf(supervisorConfig, f.dir, strings.Join(f.app(name), " "), f.file(name))
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		return poured{}, err
	}
	cmd := exec.CommandContext(ctx, "supervisord", "-n", "-c", config)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		return poured{}, err
	}
	pid := []int{cmd.Process.Pid}
	_, _, err = fill(ctx, f.note(name), 1)
	before, beforeErr := cpuTime(pid)
	if err == nil {
		p, err = f.wait(ctx, name, f.bytes())
	}
	after, afterErr := cpuTime(pid)
	p.cpu = after - before
	_ = cmd.Process.Signal(os.Interrupt)
	_ = cmd.Wait() // its code says that it was interrupted
	if err = errors.Join(err, beforeErr, afterErr); err != nil {
		return poured{}, fmt.Errorf("supervisord: %w\n%s", err, out.String())
	}
	return p, nil
}

// stampOptions are for a log with timestamps.
var stampOptions = []string{"--no-log-rotate", "--log-date-format", "YYYY-MM-DD HH:mm:ss.SSS"}

// measureFloods fills the rows about one app at full speed. All take turns, so that a busy machine is busy for each of them.
func measureFloods(ctx context.Context, r *report, gpm, pm2 *manager) error {
	f, err := newFloods(filepath.Dir(gpm.scripts), r.lines/r.rounds)
	if err != nil {
		return err
	}
	cat, raw := &flooding{name: "cat", once: f.cat}, &flooding{name: "raw", once: f.under(gpm, f.bytes(), "--no-log-rotate")}
	stamped := &flooding{name: "stamped", once: f.under(gpm, f.bytes()+int64(f.lines*stampLength), stampOptions...)}
	other := &flooding{name: "pm2", rival: true, once: f.under(pm2, f.bytes(), "--interpreter", "none")}
	ways := []*flooding{cat, raw, stamped, other}
	if _, err := exec.LookPath("supervisord"); err == nil {
		ways = append(ways, &flooding{name: "supervisord", rival: true, once: f.supervisord})
	} else {
		progress("supervisord is not there (apt-get install supervisor)")
	}
	small, err := quietPeak(ctx, gpm)
	if err != nil {
		return err
	}
	progress("printing %d times %d lines under each", r.rounds, f.lines)
	for range r.rounds {
		for _, w := range ways {
			if err := f.round(ctx, w); err != nil {
				return err
			}
		}
	}
	large, err := peakMemory(gpm)
	if err != nil {
		return err
	}
	rivals := append([]*flooding{raw}, ways[3:]...)
	r.addRatio(fmt.Sprintf("log of one app at full speed, against `program | cat > file` (%.0f MB/s)", median(cat.rates)), medianRatio(raw.rates, cat.rates), 1)
	r.addRatio("the same with timestamps", medianRatio(stamped.rates, cat.rates), 0.6)
	r.addMore("log of one app at full speed", "MB/s", each(rivals, func(w *flooding) []float64 { return w.rates }))
	r.addMore("the same with timestamps", "MB/s", []float64{median(stamped.rates)})
	costs := each(rivals, func(w *flooding) []float64 { return w.costs })
	r.add("CPU of the manager for each MB logged", "ms", costs, "≤ 1/10 of pm2's", costs[1]/10)
	r.addCost("the same with timestamps", "ms", median(stamped.costs))
	r.add("memory growth of the manager under it (peak)", "MB", []float64{large - small}, "< 5 MB", 5)
	return os.RemoveAll(f.dir)
}

// round lets the app print once in one way. Only a rival may lose something.
func (f *floods) round(ctx context.Context, w *flooding) error {
	p, err := w.once(ctx, w.name)
	if err != nil {
		return err
	}
	if p.lost > 0 && !w.rival {
		return fmt.Errorf("%d bytes of the log %s are lost", p.lost, w.name)
	}
	if p.lost > 0 {
		progress("%s has lost %.1f MB of %.1f", w.name, float64(p.lost)/1e6, float64(f.bytes())/1e6)
	}
	mb := float64(f.bytes()-p.lost) / 1e6
	w.rates, w.costs = append(w.rates, mb/p.took.Seconds()), append(w.costs, milliseconds(p.cpu)/mb)
	return f.remove(w.name)
}

// quietPeak is the peak of memory after one app that prints little, in each way: what the first start of any app takes is
// not what a flood takes.
func quietPeak(ctx context.Context, m *manager) (float64, error) {
	few, err := newFloods(filepath.Dir(m.scripts), 1000)
	if err != nil {
		return 0, err
	}
	for name, once := range map[string]func(context.Context, string) (poured, error){
		"few": few.under(m, few.bytes(), "--no-log-rotate"), "few-stamped": few.under(m, few.bytes()+int64(few.lines*stampLength), stampOptions...),
	} {
		if err := few.round(ctx, &flooding{name: name, once: once}); err != nil {
			return 0, err
		}
	}
	return peakMemory(m)
}

// each is the median of a figure in each way.
func each(ways []*flooding, figures func(*flooding) []float64) (out []float64) {
	for _, w := range ways {
		out = append(out, median(figures(w)))
	}
	return out
}

// medianRatio compares the figures of the same rounds.
func medianRatio(a, b []float64) float64 {
	var ratios []float64
	for i := range a {
		ratios = append(ratios, a[i]/b[i])
	}
	return median(ratios)
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
