package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"sync/atomic"
	"syscall"
	"time"

	"gpm/app"
	"gpm/daemon"
	"gpm/master"
)

// runMaster holds the lock on the home for as long as it lives, see adoptLock.
func runMaster(home string) error {
	lock, ok, err := adoptLock(home)
	if err != nil {
		return err
	}
	if !ok {
		return app.Errorf(app.CodeConflict, "cannot start a master of %s: one runs already", home)
	}
	defer lock.Close()
	exe, err := os.Executable()
	if err != nil {
		return err
	}
	err = master.Run(context.Background(), master.Config{
		Home:       home,
		Daemon:     master.Command{Path: exe, Argv: []string{"gpm", "daemon", "--home", home}, Env: os.Environ(), Dir: "/"},
		Output:     filepath.Join(home, daemonLog),
		Trampoline: []string{exe, "exec-worker"},
		Log:        slog.New(slog.NewTextHandler(os.Stderr, nil)),
	})
	if errors.Is(err, errors.ErrUnsupported) {
		return runAlone(home)
	}
	return err
}

// runAlone is master and daemon in one process, where descriptors cannot be passed between two.
func runAlone(home string) error {
	started := time.Now()
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	table, err := master.NewTable(master.Options{Log: log, Home: home})
	if err != nil {
		return err
	}
	defer table.Close()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	return daemon.Run(ctx, daemon.Config{Home: home, Host: table, Started: started, Log: log, LogQuota: logQuota(log)})
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

// smallHeap is the garbage collector's goal, in percent over what is in use: a daemon mostly waits.
const smallHeap = 50

// runDaemon serves a home until its master ends it. SIGTERM makes it leave everything to the next
// daemon. When the master has died it starts another, which finds what is left running.
func runDaemon(home string) error {
	started := time.Now()
	debug.SetGCPercent(smallHeap)
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
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	err = daemon.Run(ctx, daemon.Config{
		Home: home, Host: link, Started: started, DropIn: os.Getenv(dropInVariable) != "", LogQuota: logQuota(log), Log: log,
		Healthy: func(f func()) { check.Store(&f) },
	})
	err = errors.Join(err, link.Close())
	if errors.Is(err, daemon.ErrMasterGone) {
		return errors.Join(err, succeed(home))
	}
	return err
}

// succeed starts a master in the place of one that died, unless somebody has done so already.
func succeed(home string) error {
	lock, ok, err := lockHome(home)
	if err != nil || !ok {
		return err
	}
	defer lock.Close()
	p, err := spawnMaster(home, os.Environ(), lock)
	if err != nil {
		return err
	}
	return p.Release()
}

func execWorker(args []string) error { return master.Trampoline(args) }

// sweep ends what a master and a daemon that were both killed have left running.
func sweep(home string) (int, error) { return daemon.Sweep(home) }
