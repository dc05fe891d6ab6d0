package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"

	"gpm/app"
	"gpm/boot"
	"gpm/daemon"
	"gpm/master"
	"gpm/store"
)

// runMaster holds the lock on the home for as long as it lives, see adoptLock.
func runMaster(home string) error {
	ofService := os.Getenv(boot.Variable) != ""
	if ofService { // whose user may never have run gpm before
		if err := prepareHome(home); err != nil {
			return err
		}
	}
	lock, ok, err := adoptLock(home)
	if err != nil {
		return err
	}
	if !ok && ofService {
		lock, ok, err = standBy(home)
		if !ok {
			return err
		}
	}
	if !ok {
		return app.Errorf(app.CodeConflict, "cannot start a master of %s: one runs already", home)
	}
	defer lock.Close()
	return beMaster(home, 0, lockNumber(lock))
}

// resumeMaster goes on where another program of this very process left off. open are two descriptors: of the table, and
// of the lock.
func resumeMaster(home, open string) error {
	var table, lock int
	if _, err := fmt.Sscanf(open, "%d:%d", &table, &lock); err != nil {
		return fmt.Errorf("cannot go on with %q: %w", open, err)
	}
	return beMaster(home, table, lock)
}

func beMaster(home string, table, lock int) error {
	nameProcess()
	argv := []string{"gpm", "master", "--home", home}
	err := master.Run(context.Background(), master.Config{
		Home:       home,
		Daemon:     master.Command{Path: master.Self(), Argv: []string{"gpm", "daemon", "--home", home}, Env: withoutNotify(os.Environ()), Dir: "/"},
		Output:     filepath.Join(home, daemonLog),
		Trampoline: []string{master.Self(), "exec-worker"},
		Log:        slog.New(slog.NewTextHandler(os.Stderr, nil)),
		Guard:      master.Command{Path: master.Self(), Argv: []string{"gpm", "guard", "--home", home, "--master", strconv.Itoa(os.Getpid())}, Dir: "/"},
		Argv:       argv, Lock: lock, Resume: table,
	})
	if errors.Is(err, errors.ErrUnsupported) {
		return runAlone(home)
	}
	return err
}

// runAlone is master and daemon in one process, where descriptors cannot be passed between two.
func runAlone(home string) error {
	started := time.Now()
	log := slog.New(daemon.LogHandler(os.Stderr, os.Getenv(dropInVariable) != ""))
	table, err := master.NewTable(master.Options{Log: log, Home: home})
	if err != nil {
		return err
	}
	defer table.Close()
	unasked, err := onAsked(table.Stop)
	if err != nil {
		return err
	}
	defer unasked()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	cfg := daemonConfig(home, log)
	cfg.Host, cfg.Started = table, started
	return runOwned(home, func() error { return daemon.Run(ctx, cfg) })
}

// daemonConfig is what the environment says of a daemon.
func daemonConfig(home string, log *slog.Logger) daemon.Config {
	return daemon.Config{Home: home, Log: log, LogQuota: logQuota(log), Folders: logFolders(home, log)}
}

// logQuota is what GPM_LOG_QUOTA says; 0 = gpm's default.
func logQuota(log *slog.Logger) int64 {
	text := os.Getenv("GPM_LOG_QUOTA")
	if text == "" {
		return 0
	}
	n, err := parseBytes(text)
	if err != nil {
		log.Error("Cannot use GPM_LOG_QUOTA", "value", text, "err", err)
	}
	return n
}

// logFolders are what GPM_LOG_FOLDERS lists, as PATH does, and those of the home itself; none when it lists none.
func logFolders(home string, log *slog.Logger) []string {
	list := os.Getenv("GPM_LOG_FOLDERS")
	if list == "" {
		return nil
	}
	folders := []string{filepath.Join(home, "logs")}
	for _, folder := range filepath.SplitList(list) {
		if !filepath.IsAbs(folder) {
			log.Error("Cannot use a folder of GPM_LOG_FOLDERS: not an absolute path", "value", folder)
			continue
		}
		folders = append(folders, folder)
	}
	return folders
}

// heirLimit is how long the daemon of a master that died waits for the next one to fetch what that kept. An init
// system takes its time.
const heirLimit = 30 * time.Second

// smallHeap is the garbage collector's goal, in percent over what is in use: a daemon mostly waits.
const smallHeap = 50

// runDaemon serves a home until its master ends it. SIGTERM makes it leave everything to the next
// daemon. When the master has died it starts another, which finds what is left running.
func runDaemon(home string) error {
	started := time.Now()
	reopen := reopenSignal() // first of all: it would end a process that does not expect it
	debug.SetGCPercent(smallHeap)
	nameProcess()
	conn, err := master.Inherited()
	if err != nil {
		return err
	}
	var check atomic.Pointer[func()]
	link := master.Dial(conn, func() {
		if f := check.Load(); f != nil {
			(*f)()
		}
	})
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	log := slog.New(daemon.LogHandler(os.Stderr, os.Getenv(dropInVariable) != ""))
	cfg := daemonConfig(home, log)
	cfg.Host, cfg.Started, cfg.Reopen, cfg.DropIn = link, started, reopen, os.Getenv(dropInVariable) != ""
	cfg.Healthy = func(f func()) { check.Store(&f) }
	succession, err := master.OpenSuccession(home)
	if err != nil {
		log.Warn("Clusters will start anew when the master is killed", "err", err)
	}
	err = runOwned(home, func() error { return daemon.Run(ctx, cfg) })
	if errors.Is(err, daemon.ErrMasterGone) || errors.Is(err, master.ErrGone) { // the latter while it was taking over
		err = errors.Join(err, passOn(home, link, succession))
	} else {
		err = errors.Join(err, succession.Close())
	}
	return errors.Join(err, link.Close())
}

// passOn gives what a dead master kept to the next one, and starts that unless somebody else does.
func passOn(home string, link *master.Link, succession *master.Succession) error {
	come, started := make(chan struct{}), make(chan error, 1)
	go func() { started <- succeedUntil(home, come) }()
	err := link.Bequeath(succession, heirLimit)
	close(come)
	return errors.Join(err, <-started)
}

// succeedUntil tries until it has started a master or somebody else's has come: the dead one lets go of its link a moment
// before it lets go of its lock.
func succeedUntil(home string, come <-chan struct{}) error {
	for {
		if done, err := succeed(home); done || err != nil {
			return err
		}
		select {
		case <-come:
			return nil
		case <-time.After(lockPause):
		}
	}
}

// lockPause is the time between two looks at a lock that is about to be free.
const lockPause = 5 * time.Millisecond

// standGuard sees to it that a master which dies in becoming another program has a successor. The master is named, for
// it may be dead before this process comes to ask for its parent.
func standGuard(home, pid string) error {
	parent, err := strconv.Atoi(pid)
	if err != nil {
		return err
	}
	if !master.StandGuard() {
		return nil
	}
	for os.Getppid() == parent { // it holds the lock to its very end
		time.Sleep(time.Millisecond)
	}
	_, err = succeed(home)
	return err
}

// succeed starts a master in the place of one that died. An init system does so by itself; done is false while
// somebody holds the lock of the home.
func succeed(home string) (done bool, err error) {
	if os.Getenv(boot.Variable) != "" {
		return true, nil
	}
	lock, ok, err := lockHome(home)
	if err != nil || !ok {
		return false, err
	}
	defer lock.Close()
	p, err := spawnMaster(master.Self(), home, os.Environ(), lock)
	if err != nil {
		return false, err
	}
	return true, p.Release()
}

// selfTest opens a copy of a database, and with that migrates it, and prints what a daemon has to know before it makes
// way for this program.
func selfTest(database string) error {
	db, err := store.Open(database, store.Options{})
	if err != nil {
		return err
	}
	_, err = db.Apps()
	if err := errors.Join(err, db.Close()); err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(app.SelfTest{Version: app.Version, Schema: store.Schema(), Tables: master.ReadableTables()})
}

func execWorker(args []string) error { return master.Trampoline(args) }

// sweep ends what a master and a daemon that were both killed have left running.
func sweep(home string) (int, error) { return daemon.Sweep(home) }
