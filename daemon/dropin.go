package daemon

import (
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"strconv"

	"gpm/app"
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
