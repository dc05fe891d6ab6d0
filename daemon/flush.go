package daemon

import (
	"context"
	"path/filepath"
	"slices"

	"gpm/app"
	"gpm/ipc"
	"gpm/launch"
	"gpm/logs"
)

// postFlush empties log files.
func (d *Daemon) postFlush(_ context.Context, req app.FlushRequest) (app.Flushed, error) {
	found, err := d.apps.find(req.Selectors)
	if err != nil {
		return app.Flushed{}, err
	}
	var targets []logs.Target
	for _, in := range found {
		owner := logOwner(in.app.spec())
		for _, path := range d.logFiles([]instance{in}) {
			targets = append(targets, logs.Target{Path: path, Owner: owner})
		}
	}
	if len(req.Selectors) == 0 {
		targets = append(targets, logs.Target{Path: filepath.Join(d.cfg.Home, "daemon.log")})
	}
	var done app.Flushed
	for _, t := range targets {
		if !slices.Contains(done.Files, t.Path) {
			done.Files = append(done.Files, t.Path)
		}
	}
	return done, d.pump.Truncate(targets...)
}

// postReopen opens log files anew, for those who rename them.
func (d *Daemon) postReopen(ctx context.Context, _ ipc.None) (app.Flushed, error) {
	d.reopenNow(ctx)
	return app.Flushed{Files: d.logFiles(d.apps.instances())}, nil
}

// reopen does it at a signal, until ctx ends.
func (d *Daemon) reopen(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-d.cfg.Reopen:
			d.reopenNow(ctx)
		}
	}
}

// reopenNow opens the log files anew and tells the workers of clusters, as pm2 does: some open files of their own then.
func (d *Daemon) reopenNow(ctx context.Context) {
	d.pump.Reopen()
	for _, in := range d.apps.instances() {
		st := in.member.Status()
		if st.Mode != app.Cluster || !st.State.HasChild() {
			continue
		}
		if err := in.member.Send(ctx, []byte(`{"type":"log:reload"}`)); err != nil {
			d.cfg.Log.Info("Cannot tell a process to open its logs anew", "name", st.Name, "id", st.ID, "err", err)
		}
	}
}

func (d *Daemon) logFiles(found []instance) []string {
	var files []string
	for _, s := range d.logSources(found, nil) {
		files = append(files, s.Path)
	}
	for _, in := range found {
		path := launch.CombinedLogPath(d.cfg.Home, in.app.spec(), in.member.ID)
		if path != "" && !slices.Contains(files, path) {
			files = append(files, path)
		}
	}
	return files
}

// postInput writes to the standard input of a process.
func (d *Daemon) postInput(_ context.Context, req app.InputRequest) (ipc.None, error) {
	found := d.byID([]int{req.ID})
	if len(found) == 0 {
		return ipc.None{}, app.Errorf(app.CodeNotFound, "cannot find a process with id %d", req.ID).WithHint("gpm list shows the ids")
	}
	return ipc.None{}, d.inputs.write(req.ID, found[0].app.spec(), req.Text)
}
