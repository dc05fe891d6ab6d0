package main

import (
	"context"
	"os"
	"os/signal"

	"gpm/app"
	"gpm/ipc"
)

// borrowHome makes a home for this run when none is named and the usual one cannot be written to: a container may have
// a read-only root, and a user without a directory. The function it returns removes it.
func (c *cli) borrowHome() (giveBack func()) {
	nothing := func() {}
	if c.homeFlag != "" || os.Getenv("GPM_HOME") != "" || c.role == asPM2 && os.Getenv("PM2_HOME") != "" {
		return nothing
	}
	if home, err := c.home(); err == nil && prepareHome(home) == nil {
		return nothing
	}
	for _, place := range []string{os.Getenv("XDG_RUNTIME_DIR"), "/run", os.TempDir(), "/dev/shm"} {
		if place == "" {
			continue
		}
		if dir, err := os.MkdirTemp(place, "gpm-"); err == nil {
			c.homeFlag = dir
			return func() { _ = os.RemoveAll(dir) }
		}
	}
	return nothing // what follows says why there is no home
}

// passSignals passes on what was sent to gpm runtime until the returned function is called.
func (c *cli) passSignals(ctx context.Context, client *ipc.Client) (end func()) {
	wanted := passedOn()
	if len(wanted) == 0 {
		return func() {}
	}
	signals, done := make(chan os.Signal, 16), make(chan struct{})
	signal.Notify(signals, wanted...)
	ctx, stop := context.WithCancel(ctx)
	go func() {
		defer close(done)
		for {
			select {
			case s := <-signals:
				if err := c.follow(client.Do(ctx, app.ActionRequest{Action: app.ActionSignal, Selectors: []string{"all"}, Signal: nameOfSignal(s)})); err != nil && ctx.Err() == nil {
					c.fail(err)
				}
			case <-ctx.Done():
				return
			}
		}
	}()
	return func() { signal.Stop(signals); stop(); <-done }
}
