package daemon

import (
	"context"
	"os"
	"time"

	"gpm/app"
	"gpm/ipc"
	"gpm/metrics"
	"gpm/proc"
	"gpm/store"
)

// routes is the whole API.
func (d *Daemon) routes() []ipc.Route {
	return []ipc.Route{
		{Pattern: "GET /v1/ping", Handler: ipc.Handle(d.getStatus)},
		{Pattern: "GET /v1/daemon", Handler: ipc.Handle(d.getStatus)},
		{Pattern: "POST /v1/daemon/kill", Handler: ipc.Stream(d.postKill)},
		{Pattern: "GET /v1/host", Handler: ipc.Handle(d.getHost)},
		{Pattern: "POST /v1/daemon/upgrade", Handler: ipc.Handle(d.postUpgrade)},
		{Pattern: "GET /v1/processes", Handler: ipc.Handle(d.getProcesses)},
		{Pattern: "GET /v1/details", Handler: ipc.Handle(d.getDetails)},
		{Pattern: "POST /v1/start", Handler: ipc.Stream(d.postStart)},
		{Pattern: "POST /v1/actions", Handler: ipc.Stream(d.postActions)},
		{Pattern: "POST /v1/scale", Handler: ipc.Stream(d.postScale)},
		{Pattern: "POST /v1/messages", Handler: ipc.Stream(d.postMessages)},
		{Pattern: "POST /v1/trigger", Handler: ipc.Stream(d.trigger)},
		{Pattern: "POST /v1/inspect", Handler: ipc.Stream(d.postInspect)},
		{Pattern: "GET /v1/bus", Handler: ipc.Stream(d.getBus)},
		{Pattern: "POST /v1/apply", Handler: ipc.Stream(d.postApply)},
		{Pattern: "POST /v1/save", Handler: ipc.Handle(d.postSave)},
		{Pattern: "POST /v1/resurrect", Handler: ipc.Stream(d.postResurrect)},
		{Pattern: "POST /v1/input", Handler: ipc.Handle(d.postInput)},
		{Pattern: "GET /v1/events", Handler: ipc.Stream(d.getEvents)},
		{Pattern: "GET /v1/watch", Handler: ipc.Handle(d.getWatch)},
		{Pattern: "GET /v1/history", Handler: ipc.Handle(d.getHistory)},
		{Pattern: "POST /v1/logs", Handler: ipc.Stream(d.postLogs)},
		{Pattern: "POST /v1/logs/flush", Handler: ipc.Handle(d.postFlush)},
		{Pattern: "POST /v1/logs/reopen", Handler: ipc.Handle(d.postReopen)},
	}
}

func (d *Daemon) getStatus(ctx context.Context, _ ipc.None) (app.DaemonStatus, error) {
	all := d.apps.instances()
	st := app.DaemonStatus{
		Version: app.Version, PID: os.Getpid(), MasterPID: d.cfg.Host.PID(), Home: d.cfg.Home, Started: d.cfg.Started,
		MasterUp: d.reign.Began, Restarts: d.reign.Daemons - 1,
		Processes: len(all), Cgroup: d.cgroups.Dir(), Schema: store.Schema(), Warnings: d.warnings(),
		RolledBack: d.upgrade.rolledBack,
	}
	if p, ok := proc.MachinePressure(); ok {
		st.Pressure = &p
	}
	for _, in := range all {
		if in.member.Status().State == app.Online {
			st.Online++
		}
	}
	st.RSS = metrics.RSS(ctx, st.PID, st.MasterPID)
	return st, nil
}

// warnings says what does not work as it should.
func (d *Daemon) warnings() []string {
	var out []string
	if h := d.db.Health(); h.Err != nil {
		out = append(out, h.Err.Error())
	}
	for _, s := range d.pump.Stats() {
		if s.Err != nil {
			out = append(out, s.Err.Error())
		}
	}
	return out
}

func (d *Daemon) getProcesses(ctx context.Context, q ipc.ListQuery) ([]app.Status, error) {
	found, err := d.apps.find(q.Selectors)
	if err != nil {
		return nil, err
	}
	out := make([]app.Status, len(found))
	failing := d.pump.Failing()
	for i, in := range found {
		out[i] = d.view(in)
		out[i].LogTrouble = d.logTrouble(in, failing)
	}
	if q.Usage {
		patience := time.Duration(0)
		if q.Node {
			patience = listPatience
		}
		d.addUsage(ctx, out, patience)
	}
	return out, nil
}

func (d *Daemon) postStart(ctx context.Context, req app.StartRequest, send func(app.Progress) error) error {
	return d.start(ctx, req, send)
}

func (d *Daemon) postActions(ctx context.Context, req app.ActionRequest, send func(app.Progress) error) error {
	return d.act(ctx, req, send)
}

func (d *Daemon) postScale(ctx context.Context, req app.ScaleRequest, send func(app.Progress) error) error {
	return d.scale(ctx, req, send)
}

func (d *Daemon) postMessages(ctx context.Context, req app.MessageRequest, send func(app.Progress) error) error {
	return d.message(ctx, req, send)
}

func (d *Daemon) postApply(ctx context.Context, req app.ApplyRequest, send func(app.Progress) error) error {
	return d.apply(ctx, req, send)
}

// postKill stops every app for good and then ends daemon and master.
func (d *Daemon) postKill(_ context.Context, _ ipc.None, send func(app.Progress) error) error {
	all := d.apps.instances()
	if err := d.intend(all, func(rec *store.App) error { setGoals(rec, app.Down, all); return nil }); err != nil {
		return err
	}
	if err := send(app.Progress{Total: len(all)}); err != nil {
		return err
	}
	err := d.stopAll(byKill, send)
	select {
	case d.killed <- struct{}{}:
	default: // another kill command was first
	}
	return err
}

// eventBatch bounds how many events are held in memory for one listener.
const eventBatch = 1000

func (d *Daemon) getEvents(ctx context.Context, q ipc.EventQuery, send func(app.Event) error) error {
	since, last := q.Since, q.Last
	for {
		changed := d.journal.Changed() // before reading, so that nothing is missed
		events, err := d.db.Events(since, last)
		if err != nil {
			return err
		}
		for _, ev := range events {
			if err := send(ev); err != nil {
				return err
			}
			since = ev.Seq
		}
		last = eventBatch
		if !q.Follow {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ipc.Interrupted(ctx)
		}
	}
}

func (d *Daemon) getHistory(_ context.Context, q ipc.HistoryQuery) ([]app.Event, error) {
	found, err := d.apps.find(q.Selectors)
	if err != nil {
		return nil, err
	}
	ids := make([]int, len(found))
	for i, in := range found {
		ids[i] = in.member.ID
	}
	return d.db.History(ids, q.Last)
}
