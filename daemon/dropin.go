package daemon

import (
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"gpm/app"
	"gpm/launch"
)

// LogHandler writes the daemon's log. As pm2 the times are in the form that PM2_LOG_DATE_FORMAT says.
func LogHandler(w io.Writer, dropIn bool) slog.Handler {
	var o slog.HandlerOptions
	if format := os.Getenv("PM2_LOG_DATE_FORMAT"); dropIn && format != "" {
		layout := app.Layout(format)
		o.ReplaceAttr = func(groups []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey && len(groups) == 0 {
				return slog.String(a.Key, a.Value.Time().Format(layout))
			}
			return a
		}
	}
	return slog.NewTextHandler(w, &o)
}

// ownLines are lines of the daemon's log on their way to pm2's clients; they are forgotten while nobody takes them.
type ownLines chan string

// ownBacklog is how many lines may wait.
const ownBacklog = 64

// Write implements io.Writer; a log handler writes a line at a time.
func (l ownLines) Write(line []byte) (int, error) {
	select {
	case l <- string(line):
	default:
	}
	return len(line), nil
}

// forget takes the lines that nobody was there for.
func (l ownLines) forget() {
	for range len(l) {
		select {
		case <-l:
		default:
		}
	}
}

// dropIn writes pm2's pid file when the daemon was started as pm2, or removes it. It names the master, which stays the
// same for as long as anything runs; that it cannot be written keeps nothing from running.
func (d *Daemon) dropIn(up bool) {
	if !d.cfg.DropIn {
		return
	}
	path := d.files().Pid
	var err error
	if up {
		err = os.WriteFile(path, []byte(strconv.Itoa(d.cfg.Host.PID())), 0o600)
	} else if err = os.Remove(path); errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	if err != nil {
		d.cfg.Log.Warn("Cannot keep the pid file of pm2", "err", err)
	}
}

// variable is one of pm2's that steer its daemon; it counts when the daemon was started as pm2.
func (d *Daemon) variable(name string) string {
	if !d.cfg.DropIn {
		return ""
	}
	return os.Getenv(name)
}

// number is a variable that holds one, and whether it is given. What is no number is told and does not count.
func (d *Daemon) number(name string) (n int, given bool) {
	text := d.variable(name)
	if text == "" {
		return 0, false
	}
	n, err := strconv.Atoi(text)
	if err == nil && n < 0 {
		err = errors.New("it is negative")
	}
	if err != nil {
		d.cfg.Log.Warn("Cannot use a variable of pm2", "name", name, "value", text, "err", err)
	}
	return n, err == nil
}

// limitPause is the time between two looks at what apps with a limit use.
func (d *Daemon) limitPause() time.Duration {
	if ms, given := d.number("PM2_WORKER_INTERVAL"); given {
		return max(minLimitPause, time.Duration(ms)*time.Millisecond)
	}
	return limitPause
}

// give makes somebody else the owner of a socket for pm2's clients, who may then use it: PM2_SOCKET_USER and
// PM2_SOCKET_GROUP, both numbers.
func (d *Daemon) give(path string) error {
	uid, isUser := d.number("PM2_SOCKET_USER")
	gid, isGroup := d.number("PM2_SOCKET_GROUP")
	if !isUser {
		uid = -1
	}
	if !isGroup {
		gid = -1
	}
	if !isUser && !isGroup {
		return nil
	}
	if err := os.Chown(path, uid, gid); err != nil || !isGroup {
		return err
	}
	return os.Chmod(path, 0o660)
}

// withNodeOptions adds the arguments of PM2_NODE_OPTIONS to a Node process that is no worker of a cluster.
func (d *Daemon) withNodeOptions(spec app.Spec, plan launch.Plan) []string {
	argv := plan.Spawn.Argv
	if options := strings.Fields(d.variable("PM2_NODE_OPTIONS")); plan.Runtime == "node" && spec.ExecMode != app.Cluster {
		return slices.Insert(slices.Clone(argv), 1, options...)
	}
	return argv
}
