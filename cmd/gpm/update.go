package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"gpm/app"
	"gpm/ipc"
)

func newUpdateCommand(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:     "update [program]",
		Aliases: []string{"updatePM2"},
		Short:   "Let this version of gpm take over, without restarting anything",
		Long: `Let this version of gpm (or the program given) take over from the one that runs. Put the new binary in the place
of the old one and call it:

The new one first tries itself on a copy of the database and on the table of running processes; if it cannot, nothing
is touched. Then the daemon makes way and its master becomes the new program in place. No app restarts, no request
fails, no line of output is lost. A new version that does not come up is given up by itself, the old one goes on,
and the command says why. The database is migrated where that is necessary; a copy stays beside it.`,
		Args: arguments(0, 1, "the program to change to"),
		RunE: func(cmd *cobra.Command, args []string) error { return updateFunc(c, cmd.Context(), args) },
	}
}

func updateFunc(c *cli, ctx context.Context, args []string) error {
	program, err := os.Executable()
	if len(args) > 0 {
		program, err = filepath.Abs(args[0])
	}
	if err != nil {
		return err
	}
	if _, err := os.Stat(program); err != nil {
		return app.Errorf(app.CodeInvalid, "cannot update to %s: %w", program, errors.Unwrap(err))
	}
	client, err := c.client()
	if err != nil {
		return err
	}
	before, err := daemonStatus(c, ctx)
	if errors.Is(err, ipc.ErrNotRunning) {
		c.say("No daemon is running; the next command starts this version")
		return nil
	}
	if err != nil {
		return err
	}
	test, err := client.Upgrade(ctx, app.UpgradeRequest{Program: program})
	if err != nil {
		return err
	}
	after, err := c.awaitUpdate(ctx, client, before.PID)
	if err != nil {
		return err
	}
	if after.RolledBack != "" {
		return app.Errorf(app.CodeInternal, "cannot update to version %s: %s", test.Version, after.RolledBack).
			WithHint("version %s goes on, nothing was restarted; %s says more", after.Version, filepath.Join(after.Home, daemonLog))
	}
	c.say("Updated from version %s to %s; %s online", before.Version, after.Version, plural(after.Online, "process is", "processes are"))
	return nil
}

// updateLimit bounds the wait for the next daemon: the new one's probation and the return to the old one.
const updateLimit = 90 * time.Second

// awaitUpdate waits for the next daemon to answer.
func (c *cli) awaitUpdate(ctx context.Context, client *ipc.Client, old int) (app.DaemonStatus, error) {
	ctx, cancel := context.WithTimeout(ctx, updateLimit)
	defer cancel()
	for {
		status, err := client.Daemon(ctx)
		if err == nil && status.PID != old {
			return status, nil
		}
		if pauseErr := pause(ctx); pauseErr != nil {
			return status, app.Errorf(app.CodeTimeout, "cannot tell how the update went: no daemon answered for %s", updateLimit).
				WithHint("gpm daemon status, %s", fmt.Sprintf("and %s in the home", masterLog))
		}
	}
}
