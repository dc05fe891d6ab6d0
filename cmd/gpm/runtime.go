package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"gpm/app"
	"gpm/ecosystem"
	"gpm/ipc"
	"gpm/pm2"
)

// runtimeOptions are those of gpm runtime.
type runtimeOptions struct {
	startOptions
	logsOptions
	formatted  bool
	noAutoExit bool
	delay      time.Duration
}

func newRuntimeCommand(c *cli) *cobra.Command {
	var o runtimeOptions
	cmd := &cobra.Command{
		Use:   "runtime [start] <script|file> [-- args]",
		Short: "Run programs in the foreground, as a container's only process",
		Long: `Run programs in the foreground and print what they print. SIGINT and SIGTERM stop everything.
When the last program has ended for good the command ends with its exit code, 128 and the number of the
signal if one killed it; 0 if that was the one by which it was stopped. What users stop by gpm stop has not ended for good. SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2 and
SIGWINCH go to the programs. As the first process of a container it reaps what others leave behind; it needs no root,
and where the root is read-only a place like /dev/shm will do.`,
		Example: `  gpm runtime app.js
  gpm runtime ecosystem.config.js --env production
  ENTRYPOINT ["gpm", "runtime", "start", "app.js"]`,
		RunE: func(cmd *cobra.Command, args []string) error { return runtimeFunc(c, cmd, args, o) },
	}
	o.settings = addSettings(cmd)
	o.addFlags(cmd)
	f := cmd.Flags()
	f.BoolVar(&o.json, "json", false, "a JSON object a line")
	f.BoolVar(&o.formatted, "formatted", false, "id and name before each line")
	addTimestamp(cmd, &o.timestamp, "with --formatted, the time before each line in this `format`")
	f.BoolVar(&o.noAutoExit, "no-auto-exit", false, "stay when every program has ended")
	f.DurationVar(&o.delay, "delay", 0, "wait this long before the start")
	f.Bool("raw", true, "nothing but the text")
	for _, name := range []string{"secret", "public", "machine-name"} {
		f.String(name, "", "")
		_ = f.MarkHidden(name) // pm2.io
	}
	return cmd
}

func runtimeFunc(c *cli, cmd *cobra.Command, args []string, o runtimeOptions) (err error) {
	targets, spec, _ := splitTargets(args, cmd.ArgsLenAtDash(), o.settings)
	if len(targets) > 1 && targets[0] == "start" {
		targets = targets[1:]
	}
	o.spec, c.silent = spec, true
	o.bound()
	if len(targets) == 0 {
		if targets, err = orDefaultFile(targets); err != nil {
			return err
		}
	}
	ctx := cmd.Context()
	defer c.borrowHome()()
	if err := c.claimHome(); err != nil {
		return err
	}
	lock, err := c.own(false)
	if err != nil {
		return err
	}
	defer lock.Close()
	select {
	case <-time.After(o.delay):
	case <-ctx.Done():
		return nil
	}
	client, err := c.connect(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(c.endAll(client), err) }()
	if err := c.launchAll(ctx, client, targets, o); err != nil {
		return err
	}
	defer c.passSignals(ctx, client)()
	return c.watchAll(ctx, client, o)
}

// bound keeps the log files small, from which the output is read, unless the user wants it otherwise.
func (o *runtimeOptions) bound() {
	for field, value := range map[string]func(*app.Rotate){
		"log_rotate.max_size": func(r *app.Rotate) { r.MaxSize = 10 << 20 },
		"log_rotate.keep":     func(r *app.Rotate) { r.Keep = 1 },
	} {
		if !o.set[field] {
			value(&o.spec.LogRotate)
			o.set[field] = true
		}
	}
}

// runtimeMark is the file that says that a home belongs to gpm runtime.
const runtimeMark = "runtime"

// ownHome says how to give the foreground a home of its own.
func (c *cli) ownHome() string {
	variable := "GPM_HOME"
	if c.role == asPM2 {
		variable = "PM2_HOME"
	}
	return c.command("give gpm runtime a home of its own with --home or ") + variable
}

// claimHome makes sure that nothing else runs in the home and that nothing is left in it: a container begins
// with what it is told to run, also when its home outlives it.
func (c *cli) claimHome() error {
	home, err := c.home()
	if err != nil {
		return err
	}
	if err := prepareHome(home); err != nil {
		return err
	}
	lock, free, err := lockHome(home)
	if err != nil {
		return err
	}
	if !free {
		return app.Errorf(app.CodeConflict, "cannot use %s: a daemon runs there", home).WithHint("%s", c.ownHome())
	}
	defer lock.Close()
	mark, database := filepath.Join(home, runtimeMark), filepath.Join(home, databaseName)
	if exists(database) && !exists(mark) {
		return app.Errorf(app.CodeConflict, "cannot use %s: it holds the apps of a daemon", home).WithHint("%s", c.ownHome())
	}
	err = errors.Join(os.RemoveAll(database), os.RemoveAll(filepath.Join(home, "logs")), os.WriteFile(mark, nil, 0o600))
	if err != nil {
		return homeError(home, err)
	}
	return nil
}

// isFree says that no daemon runs in the home.
func (c *cli) isFree() bool {
	home, err := c.home()
	if err != nil || prepareHome(home) != nil {
		return false
	}
	lock, free, err := lockHome(home)
	return errors.Join(err, closeLock(lock)) == nil && free
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func (c *cli) launchAll(ctx context.Context, client *ipc.Client, targets []string, o runtimeOptions) error {
	for _, target := range targets {
		var err error
		if ecosystem.IsFile(target) {
			err = c.applyFile(ctx, target, o.settings, o.fileOptions)
		} else {
			var req app.StartRequest
			if req, err = startRequest([]string{target}, -1, o.startOptions, os.Environ()); err == nil {
				err = c.addDefaults(&req)
			}
			if err == nil {
				err = c.follow(client.Start(ctx, req))
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// quiet is how long the output may pause after the last program ended until it counts as complete: its
// last words are in the files by then.
const quiet = 150 * time.Millisecond

// watchAll prints the output until every program has ended for good, or the context has: then it stops them, and prints
// their last words too.
func (c *cli) watchAll(ctx context.Context, client *ipc.Client, o runtimeOptions) error {
	printing, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	printed, logs := make(chan struct{}, 1), make(chan error, 1)
	go func() { logs <- c.printAll(printing, client, o, printed) }()
	status, err := c.awaitEnd(ctx, client, o.noAutoExit)
	interrupted := ctx.Err() != nil
	if interrupted {
		err = c.follow(client.Do(printing, app.ActionRequest{Action: app.ActionStop, Selectors: []string{"all"}}))
		status = c.stoppedWith(printing, client)
	}
	for ended := false; !ended; {
		select {
		case <-printed:
		case <-time.After(quiet):
			ended = true
		}
	}
	stop()
	logErr := <-logs
	switch {
	case err != nil:
		return err
	case logErr != nil && !interrupted:
		return logErr
	case status != 0:
		return exitStatus(status)
	}
	return nil
}

// printAll prints the output as it comes and says in printed that there was some.
func (c *cli) printAll(ctx context.Context, client *ipc.Client, o runtimeOptions, printed chan<- struct{}) error {
	o.raw = !o.formatted
	p := &logPrinter{out: &lineWriter{w: c.out}, err: &lineWriter{w: c.err}, paint: c.paint(), terminal: c.screen.terminal, options: o.logsOptions}
	for line, err := range client.Logs(ctx, app.LogQuery{Lines: -1, Follow: true}) {
		if err != nil {
			return unlessInterrupted(ctx, err)
		}
		if line.File == "" {
			p.print(line)
		}
		select {
		case printed <- struct{}{}:
		default:
		}
	}
	return nil
}

// look is how often the list is read at least; events say when.
const look = time.Second

// awaitEnd waits until every process has ended for good and returns the exit code for it. A process
// that a user stopped may be started again.
func (c *cli) awaitEnd(ctx context.Context, client *ipc.Client, never bool) (int, error) {
	ctx, stop := context.WithCancel(ctx)
	changed, watcher := make(chan struct{}, 1), make(chan error, 1)
	defer func() { stop(); <-watcher }()
	go func() { watcher <- notice(ctx, client, changed) }()
	ticker := time.NewTicker(look)
	defer ticker.Stop()
	for {
		list, err := client.Processes(ctx, ipc.ListQuery{})
		if err != nil {
			return 0, unlessInterrupted(ctx, err)
		}
		if status, ended := verdict(list); ended && !never {
			return status, nil
		}
		select {
		case <-ctx.Done():
			return 0, nil
		case <-changed:
		case <-ticker.C:
		}
	}
}

// notice puts a token into changed for every event.
func notice(ctx context.Context, client *ipc.Client, changed chan<- struct{}) error {
	for _, err := range client.Events(ctx, ipc.EventQuery{Last: 1, Follow: true}) {
		if err != nil {
			return unlessInterrupted(ctx, err)
		}
		select {
		case changed <- struct{}{}:
		default:
		}
	}
	return nil
}

// verdict is the exit code of processes that have all ended, at least one of them by itself: the first that
// is not 0.
func verdict(list []app.Status) (status int, ended bool) {
	byItself := false
	for _, st := range list {
		if st.State != app.Stopped && st.State != app.Errored {
			return 0, false
		}
		byItself = byItself || st.State == app.Errored || st.Exit != nil && st.Exit.By == ""
		if status == 0 {
			status = statusOf(st)
		}
	}
	return status, byItself
}

// stoppedWith is the exit code of what was stopped on request. pm2-runtime always ends with 0 then.
func (c *cli) stoppedWith(ctx context.Context, client *ipc.Client) int {
	if c.role == asPM2 {
		return 0
	}
	list, err := client.Processes(ctx, ipc.ListQuery{})
	if err != nil { // the programs were stopped all the same
		return 0
	}
	return stopVerdict(list)
}

// stopVerdict is the exit code of processes that were stopped: the first that is not 0. To be ended by the signal that
// asks for it is as good as 0; SIGKILL is for those that do not listen.
func stopVerdict(list []app.Status) int {
	for _, st := range list {
		asked := st.Exit != nil && st.Exit.By != "" && st.Exit.Signal != "" && st.Exit.Signal != "SIGKILL"
		if status := statusOf(st); status != 0 && !asked {
			return status
		}
	}
	return 0
}

func statusOf(st app.Status) int {
	switch {
	case st.Exit == nil:
		return 0
	case st.Exit.SpawnError != "":
		return 127
	}
	code := pm2.ExitCode(*st.Exit)
	if code < 0 || code == 0 && st.State == app.Errored { // given up, though each run ended well
		return 1
	}
	return code
}

// endAll stops everything, also after an interrupt.
func (c *cli) endAll(client *ipc.Client) error {
	home, err := c.home()
	if err != nil {
		return err
	}
	ctx := context.Background()
	err = c.follow(client.Kill(ctx))
	if errors.Is(err, ipc.ErrNotRunning) {
		err = nil
	}
	return errors.Join(err, waitGone(ctx, home))
}
