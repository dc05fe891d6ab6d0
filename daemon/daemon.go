// Package daemon is the brain: it joins store, master, supervisors, logs and metrics, and serves the
// API. It may die at any moment: what runs is known to the master, what is wanted to the store, and
// the next daemon carries on from both.
package daemon

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"os"
	"sync"
	"time"

	"gpm/agent"
	"gpm/app"
	"gpm/ipc"
	"gpm/launch"
	"gpm/logs"
	"gpm/master"
	"gpm/metrics"
	"gpm/proc"
	"gpm/store"
)

// Config is what a daemon is started with.
type Config struct {
	Home     string // absolute
	Host     master.Host
	Log      *slog.Logger
	LogQuota int64        // bytes that the logs of all apps may take; 0 = logs.DefaultQuota
	Folders  logs.Folders // where log files may be
	Started  time.Time
	DropIn   bool             // called as pm2: its environment variables count
	Reopen   <-chan os.Signal // asks to open the log files anew; nil = nobody does
	Healthy  func(func())     // takes the function that the master's heartbeat calls; may be nil
}

// Daemon is one running daemon.
type Daemon struct {
	cfg       Config
	hash      string // of the home: marks what belongs to it
	db        *store.DB
	journal   *journal
	apps      registry
	admission sync.Mutex // serialises the decision whether a start names something new
	tools                // what the launchers of all instances share
	sampler   *metrics.Sampler
	upkeep    *upkeep  // restarts that nobody asks for by hand
	care      *care    // health checks
	turns     *turns   // starts that wait for other apps
	jobs      *jobs    // runs at set times
	hooks     *hooks   // who is told of what happens
	imports   *imports // which files apps have loaded
	scaler    *autoscaler
	inputs    inputs
	reign     reign
	trouble   troubles
	forwards  *forwarders
	bus       bus
	agent     string // path of the script that is preloaded into Node; "" when it cannot be
	upgrade   upgrade
	said      ownLines      // what the daemon logs, for pm2's clients
	killed    chan struct{} // gets a token when the kill command has stopped everything
}

// tools are what it takes to start a process and to see it end.
type tools struct {
	resolver launch.Resolver
	exits    *proc.Watcher
	trees    *proc.Trees
	cgroups  *proc.Cgroups // nil where none can be made
	pump     *logs.Pump
}

// ErrMasterGone says that the master died. What it ran goes on until a new one adopts it.
var ErrMasterGone = errors.New("the master has died")

// lockWait is how long a daemon waits for the database lock of the one before it.
const lockWait = 3 * time.Second

// Run is the life of a daemon: take over, serve, end. When ctx ends everything is left running for the
// next daemon; when the master asks or the kill command came nothing is left.
func Run(ctx context.Context, cfg Config) error {
	d, err := open(cfg)
	if err != nil {
		return err
	}
	err = d.run(ctx)
	d.leave()
	return errors.Join(err, d.close())
}

func open(cfg Config) (*Daemon, error) {
	said := make(ownLines, ownBacklog)
	cfg.Log = slog.New(slog.NewMultiHandler(cfg.Log.Handler(), LogHandler(said, cfg.DropIn)))
	d := &Daemon{
		said: said,
		cfg:  cfg, hash: proc.HomeHash(cfg.Home), killed: make(chan struct{}, 1), upgrade: newUpgrade(), sampler: metrics.New(), trouble: newTroubles(),
		tools: tools{exits: proc.NewWatcher(cfg.Host.Exits()), trees: proc.NewTrees(cfg.Host.PID())},
	}
	d.apps.apps = map[uint64]*application{}
	d.forwards = newForwarders(d)
	d.upkeep, d.care, d.turns, d.jobs, d.hooks = newUpkeep(d), newCare(d), newTurns(d), newJobs(d), newHooks(d)
	d.imports = newImports(d)
	d.scaler = newAutoscaler(d)
	var err error
	flushed := func(upTo uint64) { d.journal.Flushed(upTo) }
	if d.db, err = d.openStore(store.Options{Timeout: lockWait, Flushed: flushed}); err != nil {
		return nil, err
	}
	d.journal = newJournal(d.db, cfg.Host, cfg.Log)
	if d.pump, err = logs.NewPump(logs.Options{Log: cfg.Log, Quota: cmp.Or(cfg.LogQuota, logs.DefaultQuota), Folders: cfg.Folders, OnTrouble: d.trouble.say}); err != nil {
		return nil, errors.Join(err, d.db.Close())
	}
	if d.agent, err = agent.Install(cfg.Home); err != nil {
		cfg.Log.Warn("Node apps run without the agent", "err", err)
	}
	if d.cgroups, err = proc.OpenCgroups(cfg.Home); err != nil {
		cfg.Log.Info("Process trees are found without cgroups", "why", err)
	}
	d.cgroups.Enable()
	return d, nil
}

func (d *Daemon) close() error {
	d.forwards.close()
	return errors.Join(d.pump.Close(), d.db.Close())
}

// run serves until the daemon has to end, and leaves nothing behind if it was told so.
func (d *Daemon) run(ctx context.Context) error {
	var parts sync.WaitGroup
	defer parts.Wait()
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	gone, failed := make(chan struct{}), make(chan error, 1)
	parts.Go(func() { d.exits.Run(ctx); close(gone) })
	// Before anything is started: what cannot be asked must not run. Who asks now waits for the answer.
	listener, err := ipc.Listen(ipc.Address(d.cfg.Home))
	if err != nil {
		_ = d.cgroups.Close() // stays where children of the daemon before are in it
		return err
	}
	if err := d.takeOver(ctx); err != nil {
		return errors.Join(err, listener.Close())
	}
	if d.cfg.Healthy != nil {
		d.cfg.Healthy(d.healthy)
	}
	d.journal.Event(app.Event{Kind: app.EventDaemonUp, ID: -1, Reason: "version " + app.Version})
	d.noteRollback()
	parts.Go(func() { d.trouble.record(ctx, d.journal) })
	parts.Go(func() { d.reopen(ctx) })
	endUpkeep := d.upkeep.begin(ctx)
	defer endUpkeep()
	d.dropIn(true)
	parts.Go(func() { d.servePM2(ctx) })
	parts.Go(func() { failed <- ipc.Serve(ctx, listener, d.routes(), d.cfg.Log) })
	if err := d.cfg.Host.Serving(ctx); err != nil {
		return err
	}
	select {
	case err := <-failed:
		return err
	case <-gone:
		if ctx.Err() == nil {
			return ErrMasterGone
		}
		return nil
	case <-d.cfg.Host.Stopping():
		endUpkeep() // what is stopped now must not be restarted
		if err := d.stopAll(byShutdown, func(app.Progress) error { return nil }); err != nil {
			return err
		}
	case <-d.upgrade.ready:
		return nil
	case <-d.killed:
	}
	return d.end(stop)
}

// end writes what is known and tells the master to end too. Every worker is gone.
func (d *Daemon) end(stop func(error)) error {
	d.journal.Event(app.Event{Kind: app.EventDaemonDn, ID: -1})
	d.dropIn(false)
	d.leave()
	err := d.db.Flush()
	if err := d.cgroups.Close(); err != nil {
		d.cfg.Log.Warn("Cannot remove the cgroups", "err", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), noteLimit)
	defer cancel()
	err = errors.Join(err, d.cfg.Host.Shutdown(ctx))
	stop(ipc.ErrOver)
	return err
}

// leave ends the owners; their children go on.
func (d *Daemon) leave() {
	for _, a := range d.apps.all() {
		a.group.Leave()
	}
}

// byShutdown and byKill are the reasons recorded when everything is stopped. What a shutdown stopped is wanted up
// again by the next daemon; the kill command also changes what the user wants.
const (
	byShutdown = "shutdown"
	byKill     = "kill"
)

// stopAll stops every instance at once, without touching what the user wants.
func (d *Daemon) stopAll(by string, out emit) error {
	all := d.apps.instances()
	return forEach(all, max(1, len(all)), func(in instance) app.Progress {
		return in.outcome(in.member.Stop(context.Background(), by))
	}, out)
}

// healthy returns when the daemon can do its work; the master asks now and then.
func (d *Daemon) healthy() {
	d.apps.instances()
	d.journal.Changed()
}

// MakeRoom has an init system able to start a master of the home again, after the death of one whose apps go on.
func MakeRoom(home string) error {
	groups, err := proc.OpenCgroups(home)
	if err != nil {
		return nil //nolint:nilerr // where gpm has no groups there is nothing in the way
	}
	return groups.Disable()
}

// Sweep ends what a master and a daemon that were both killed have left running, and says how many processes that
// were. No daemon of the home may run.
func Sweep(home string) (int, error) {
	left := proc.Survivors(home, nil)
	var failed error
	for _, s := range left {
		failed = errors.Join(failed, s.End())
	}
	groups, err := proc.OpenCgroups(home)
	if err != nil {
		return len(left), failed // there are none
	}
	for limit := time.Now().Add(sweepLimit); ; { // a process that was killed leaves its group when it is dead
		if err = groups.Close(); err == nil || time.Now().After(limit) {
			return len(left), errors.Join(failed, err)
		}
		<-time.After(sweepPause)
	}
}

// sweepLimit is how long killed processes may take to die, sweepPause the time between two looks.
const (
	sweepLimit = 3 * time.Second
	sweepPause = 5 * time.Millisecond
)
