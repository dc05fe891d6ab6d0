package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"gpm/app"
	"gpm/daemon"
	"gpm/ipc"
	"gpm/master"
)

// standPause is the time between two looks of a master that stands by.
const standPause = 500 * time.Millisecond

// standBy is the life of a service whose home has a master already, one that a user started by hand: nothing is
// restarted, for that one goes on. The service passes its own end on to it, and takes its place when it dies: ok is true
// then. When it ends in good order the service has ended too.
func standBy(home string) (lock io.Closer, ok bool, err error) {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	client := ipc.New(home)
	defer client.Close()
	running, err := awaitStatus(ctx, client)
	if err != nil {
		return nil, false, fmt.Errorf("cannot stand by, for the master that runs does not answer: %w", err)
	}
	master.Announce(fmt.Sprintf("READY=1\nSTATUS=Stands by: gpm was started by hand, its master is process %d", running.MasterPID))
	tick := time.NewTicker(standPause)
	defer tick.Stop()
	asked := ctx.Done()
	for {
		select {
		case <-asked:
			asked = nil
			master.Announce("STOPPING=1")
			if err := endMaster(client); err != nil {
				return nil, false, err
			}
		case <-tick.C:
		}
		master.Announce("WATCHDOG=1")
		if asked == nil {
			master.Announce("EXTEND_TIMEOUT_USEC=30000000")
		}
		if lock, ok, err = lockHome(home); err != nil || !ok {
			if err != nil {
				return nil, false, err
			}
			continue
		}
		if asked == nil || !exists(ipc.Address(home)) { // it removes its socket when it ends in good order
			return nil, false, lock.Close()
		}
		return lock, true, nil
	}
}

// awaitStatus waits for a daemon that may be between two masters.
func awaitStatus(ctx context.Context, client *ipc.Client) (app.DaemonStatus, error) {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	for {
		status, err := client.Daemon(ctx)
		if err == nil || pause(ctx) != nil {
			return status, err
		}
	}
}

// endMaster asks the master that runs to stop everything and to keep what should be up.
func endMaster(client *ipc.Client) error {
	status, err := client.Daemon(context.Background())
	if err != nil {
		return err
	}
	return askToEnd(status.MasterPID)
}

// serviceEnded ends what is left after a service has ended for good. After the crash of a master everything stays for the
// next one, which their control groups must not be in the way of.
func serviceEnded(home string) error {
	if err := daemon.MakeRoom(home); err != nil {
		fmt.Fprintln(os.Stderr, err) // what is left is ended all the same
	}
	if result := os.Getenv("SERVICE_RESULT"); result != "success" && result != "timeout" {
		return nil
	}
	lock, free, err := lockHome(home)
	if err != nil || !free { // another gpm looks after them
		return err
	}
	_, err = sweep(home)
	return errors.Join(err, lock.Close())
}

// withoutNotify takes what only the main process of a service may use out of an environment.
func withoutNotify(env []string) []string {
	return slices.DeleteFunc(slices.Clone(env), func(v string) bool {
		name, _, _ := strings.Cut(v, "=")
		return name == "NOTIFY_SOCKET" || name == "WATCHDOG_USEC" || name == "WATCHDOG_PID" || name == "LISTEN_PID" || name == "LISTEN_FDS"
	})
}
