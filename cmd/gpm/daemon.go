package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"gpm/app"
	"gpm/ipc"
)

func newPingCommand(c *cli) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "ping",
		Short: "Ask whether the daemon answers",
		Args:  arguments(0, 0, ""),
		RunE: func(cmd *cobra.Command, _ []string) error {
			client, err := c.connect(cmd.Context())
			if err != nil {
				return err
			}
			status, err := client.Ping(cmd.Context())
			if err != nil {
				return err
			}
			if asJSON {
				return c.printJSON(status)
			}
			_, err = fmt.Fprintln(c.out, "{ msg: 'pong' }")
			return err
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the daemon's status as JSON")
	return cmd
}

func newKillCommand(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:   "kill",
		Short: "Stop all processes, then the daemon and its master",
		Args:  arguments(0, 0, ""),
		RunE:  func(cmd *cobra.Command, _ []string) error { return killFunc(c, cmd.Context()) },
	}
}

func killFunc(c *cli, ctx context.Context) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	home, err := c.home()
	if err != nil {
		return err
	}
	err = c.follow(client.Kill(ctx))
	if errors.Is(err, ipc.ErrNotRunning) {
		return c.killNothing(ctx, home)
	}
	if _, partly := errors.AsType[reported](err); err != nil && !partly {
		return c.killed(home, err)
	}
	if err == nil {
		c.say("[v] All Applications Stopped")
	}
	if goneErr := waitGone(ctx, home); goneErr != nil {
		return goneErr
	}
	c.say("[v] %s Daemon Stopped", c.role)
	return err
}

// killed looks at a kill that broke off. If no master is left, somebody else's kill was first.
func (c *cli) killed(home string, broke error) error {
	lock, free, err := lockHome(home)
	if err != nil || !free {
		return broke
	}
	return errors.Join(c.killLeftovers(home, true), lock.Close())
}

// killNothing is a kill when nobody answers. A master that runs without a daemon is between two of them.
func (c *cli) killNothing(ctx context.Context, home string) error {
	lock, free, err := lockHome(home)
	if err != nil || free {
		return errors.Join(c.killLeftovers(home, err == nil && lock != nil), closeLock(lock))
	}
	client, err := c.client()
	if err != nil {
		return err
	}
	if err := c.bringUp(ctx, client, home); err != nil {
		return err
	}
	return killFunc(c, ctx)
}

// killLeftovers ends what outlived both master and daemon. The lock is held, if there is a home to lock: none starts
// meanwhile.
func (c *cli) killLeftovers(home string, locked bool) error {
	left := 0
	var err error
	if locked {
		left, err = sweep(home)
	}
	if left > 0 {
		c.say("Ended %s that a killed gpm had left running", plural(left, "process", "processes"))
	}
	c.say("No daemon is running")
	return err
}

func newDaemonCommand(c *cli) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "daemon",
		Short: "Look after the daemon",
		Args:  cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return unknownCommand(cmd, args[0])
			}
			return cmd.Help()
		},
	}
	cmd.AddCommand(newDaemonStatusCommand(c), newDaemonStopCommand(c))
	return cmd
}

func newDaemonStopCommand(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:   "stop",
		Short: "Stop everything, and keep what should be up for the next daemon",
		Long: `Stop everything as the end of the machine does: what should be up stays so, and the next daemon starts it. gpm kill
stops everything for good.`,
		Args: arguments(0, 0, ""),
		RunE: func(cmd *cobra.Command, _ []string) error { return stopDaemon(c, cmd.Context()) },
	}
}

func stopDaemon(c *cli, ctx context.Context) error {
	status, err := daemonStatus(c, ctx)
	if errors.Is(err, ipc.ErrNotRunning) {
		c.say("No daemon is running")
		return nil
	}
	if err != nil {
		return err
	}
	if err := askToEnd(status.MasterPID); err != nil {
		return app.Errorf(app.CodeInternal, "cannot end the master of %s: %w", status.Home, err)
	}
	if err := awaitEnd(ctx, status.Home); err != nil {
		return err
	}
	c.say("Stopped; the next daemon starts again what should be up")
	return nil
}

// awaitEnd waits for the end of a home's master, as long as each app may take.
func awaitEnd(ctx context.Context, home string) error {
	for {
		lock, free, err := lockHome(home)
		if err != nil || free {
			return errors.Join(err, closeLock(lock))
		}
		if err := pause(ctx); err != nil {
			return err
		}
	}
}

// daemonStatus starts no daemon, but waits for one whose master runs.
func daemonStatus(c *cli, ctx context.Context) (app.DaemonStatus, error) {
	client, err := c.client()
	if err != nil {
		return app.DaemonStatus{}, err
	}
	status, err := client.Daemon(ctx)
	if !errors.Is(err, ipc.ErrNotRunning) {
		return status, err
	}
	home, homeErr := c.home()
	lock, free, lockErr := lockHome(home)
	if homeErr != nil || lockErr != nil || free {
		return status, errors.Join(err, closeLock(lock))
	}
	if err := c.bringUp(ctx, client, home); err != nil {
		return status, err
	}
	return client.Daemon(ctx)
}

func newDaemonStatusCommand(c *cli) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show the daemon and its master; start none",
		Args:  arguments(0, 0, ""),
		RunE: func(cmd *cobra.Command, _ []string) error {
			status, err := daemonStatus(c, cmd.Context())
			if err != nil {
				return err
			}
			if asJSON {
				return c.printJSON(status)
			}
			return c.printSection(section{"Daemon", daemonRows(status, time.Now())})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func daemonRows(s app.DaemonStatus, now time.Time) [][2]string {
	rows := [][2]string{
		{"version", s.Version}, {"home", s.Home}, {"daemon pid", fmt.Sprint(s.PID)}, {"daemon uptime", since(s.Started, now)},
		{"master pid", fmt.Sprint(s.MasterPID)}, {"master uptime", since(s.MasterUp, now)}, {"daemon restarts", fmt.Sprint(s.Restarts)},
		{"processes", fmt.Sprintf("%d, %d online", s.Processes, s.Online)}, {"memory", size(s.RSS)}, {"cgroup", orNA(s.Cgroup)}, {"pressure", pressureWords(s.Pressure)},
		{"database schema", fmt.Sprint(s.Schema)},
	}
	for _, w := range s.Warnings {
		rows = append(rows, [2]string{"warning", w})
	}
	return rows
}

func since(t, now time.Time) string {
	if t.IsZero() {
		return "N/A"
	}
	return uptime(now.Sub(t))
}

func newVersionCommand(c *cli) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Print the version of this command",
		Args:  arguments(0, 0, ""),
		RunE: func(*cobra.Command, []string) error {
			if asJSON {
				return c.printJSON(map[string]string{"version": app.Version})
			}
			_, err := fmt.Fprintln(c.out, app.Version)
			return err
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}
