package daemon

import (
	"cmp"
	"context"
	"os"
	"regexp"
	"strconv"
	"time"

	"gpm/app"
	"gpm/ipc"
	"gpm/launch"
	"gpm/logs"
	"gpm/master"
)

// tailLines and tailBytes bound what is kept of the output of a process that ended.
const (
	tailLines = 100
	tailBytes = 64 << 10
)

// drainLimit is how long the rest of a dead process's output may take.
const drainLimit = 2 * time.Second

// output sends both streams of a process to its log files.
func (l *launcher) output(spec app.Spec, seq uint64, s master.Spawned) (out, err *logs.Stream) {
	home := l.d.cfg.Home
	outPath, errPath := launch.LogPaths(home, spec, l.id)
	target := logs.Target{Rotate: rotation(spec.LogRotate), Combined: launch.CombinedLogPath(home, spec, l.id), Filter: lineFilter(spec), Owner: logOwner(spec)}
	for _, one := range []struct {
		pipe   *os.File
		path   string
		stream app.LogStream
		to     **logs.Stream
	}{{s.Stdout, outPath, app.Stdout, &out}, {s.Stderr, errPath, app.Stderr, &err}} {
		l.d.forwards.tend(logs.Source{Path: one.path, ID: l.id, Name: spec.Name, Stream: one.stream}, spec)
		t := target
		t.Path, t.Format = one.path, format(spec, l.id, one.stream)
		t.Key = childKey(l.id, seq) + "-" + string(one.stream)
		*one.to = l.d.attach(one.pipe, t, spec)
	}
	return out, err
}

// checkLogs refuses what can never be a log file.
func checkLogs(cfg Config, spec app.Spec) error {
	out, err := launch.LogPaths(cfg.Home, spec, 0)
	for _, path := range []string{out, err, launch.CombinedLogPath(cfg.Home, spec, 0)} {
		if path == "" || path == os.DevNull {
			continue
		}
		if err := cfg.Folders.Check(path); err != nil {
			return app.Errorf(app.CodeInvalid, "cannot start %q: its log file %w", spec.Name, err).
				WithHint("GPM_LOG_FOLDERS of the daemon names them; without out_file and error_file the files are in gpm's home")
		}
		if err := logs.Check(path); err != nil {
			return app.Errorf(app.CodeInvalid, "cannot start %q: its log file %q cannot be written: %w", spec.Name, path, err).
				WithHint("name a file that gpm may write, or /dev/null for none")
		}
	}
	return nil
}

// rotation is an app's wishes over the defaults.
func rotation(r app.Rotate) logs.Policy {
	if r.Off {
		return logs.Policy{}
	}
	p := logs.DefaultPolicy()
	p.MaxSize, p.Keep = cmp.Or(r.MaxSize, p.MaxSize), cmp.Or(r.Keep, p.Keep)
	p.Every, p.MaxAge = r.Every, r.MaxAge
	switch r.Compress {
	case "none":
		p.Compress = logs.Plain
	case "zstd":
		p.Compress = logs.Zstd
	}
	return p
}

// format is nil when lines are kept as they were printed.
func format(spec app.Spec, id int, stream app.LogStream) *logs.Format {
	if spec.LogFormat == "" && spec.LogType != "json" {
		return nil
	}
	return &logs.Format{Layout: app.Layout(spec.LogFormat), JSON: spec.LogType == "json", ID: id, Name: spec.Name, Stream: stream}
}

// attach sends the output of a process to its log file. A file that can never be written is
// reported, and its bytes are thrown away so that the process never blocks.
func (d *Daemon) attach(r *os.File, target logs.Target, spec app.Spec) *logs.Stream {
	if r == nil {
		return nil
	}
	s, err := d.pump.Attach(r, target)
	if err == nil {
		return s
	}
	d.cfg.Log.Error("Cannot log", "app", spec.Name, "file", target.Path, "err", err)
	d.journal.Event(app.Event{Kind: app.EventLog, ID: -1, Name: spec.Name, Reason: err.Error()})
	if s, err = d.pump.Attach(r, logs.Target{}); err != nil {
		d.cfg.Log.Error("Cannot read output", "app", spec.Name, "err", err)
	}
	return s
}

// drain reads what a dead process has left in its pipes and returns its last words.
func drain(out, err *logs.Stream) (w app.Words) {
	for s, lines := range map[*logs.Stream]*[]string{out: &w.Out, err: &w.Err} {
		if s != nil {
			s.Drain(drainLimit)
			*lines = s.Tail(tailLines, tailBytes)
		}
	}
	return w
}

// troubles passes on what the pump says about files that cannot be written, for it must not wait.
type troubles struct{ said chan logs.Trouble }

func newTroubles() troubles { return troubles{make(chan logs.Trouble, 64)} }

// say is called by the pump. What nobody has taken yet is enough to know.
func (l troubles) say(t logs.Trouble) {
	select {
	case l.said <- t:
	default:
	}
}

// record makes events of it until ctx ends.
func (l troubles) record(ctx context.Context, j *journal) {
	for {
		select {
		case <-ctx.Done():
			return
		case t := <-l.said:
			j.Event(app.Event{Kind: app.EventLog, ID: -1, Reason: troubleText(t)})
		}
	}
}

func troubleText(t logs.Trouble) string {
	switch {
	case t.LeftOut > 0:
		return strconv.FormatInt(t.LeftOut, 10) + " lines for " + t.Path + " were left out: more than its rate"
	case t.Err == nil:
		return "writes to " + t.Path + " again; " + bytesLost(t.Dropped)
	}
	return "cannot write " + t.Path + ": " + t.Err.Error() + "; " + bytesLost(t.Dropped)
}

// logTrouble says which of an instance's log files cannot be written, of all that fail; "" = none.
func (d *Daemon) logTrouble(in instance, failing map[string]logs.Trouble) string {
	if len(failing) == 0 {
		return ""
	}
	for _, path := range d.logFiles([]instance{in}) {
		if t, fails := failing[path]; fails {
			return troubleText(t)
		}
	}
	return ""
}

func (d *Daemon) postLogs(ctx context.Context, q app.LogQuery, send func(app.LogLine) error) error {
	found, err := d.apps.find(q.Selectors)
	if err != nil {
		return err
	}
	query := logs.Query{Lines: q.Lines, Follow: q.Follow, Pump: d.pump, Since: q.Since, Until: q.Until, Places: q.Places}
	query.Sources = d.logSources(found, q.Streams)
	for i, src := range query.Sources {
		query.Sources[i].From = q.From[app.LogLine{ID: src.ID, Stream: src.Stream}.Source()]
	}
	query.More = func() []logs.Source {
		if found, err := d.apps.find(q.Selectors); err == nil { // else what was selected is deleted
			return d.logSources(found, q.Streams)
		}
		return nil
	}
	if q.Grep != "" {
		if query.Grep, err = regexp.Compile(q.Grep); err != nil {
			return app.Errorf(app.CodeInvalid, "cannot use --grep %q: %w", q.Grep, err).WithHint("it is a regular expression, like ERROR|WARN")
		}
	}
	for line, err := range query.Run(ctx) {
		if err != nil {
			d.cfg.Log.Warn("Cannot read a log", "err", err)
			continue
		}
		if err := send(line); err != nil {
			return err
		}
	}
	return ipc.Interrupted(ctx)
}

func bytesLost(n int64) string {
	if n == 0 {
		return "nothing was lost"
	}
	return strconv.FormatInt(n, 10) + " bytes were lost"
}
