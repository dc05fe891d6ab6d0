package daemon

import (
	"errors"
	"io/fs"
	"os"
	"strconv"
)

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
