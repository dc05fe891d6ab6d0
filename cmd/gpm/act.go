package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"gpm/app"
	"gpm/ipc"
	"gpm/pm2"
)

// selectorsUse is how commands that act on processes are called.
const selectorsUse = "<id|name|namespace|/regex/|all>..."

// filesUse is how those are called that take files of apps too.
const filesUse = "<id|name|namespace|/regex/|all|file>..."

// newActionCommand is the common part of the commands that act on processes.
func newActionCommand(c *cli, name, short string, run func(cmd *cobra.Command, args []string) error) *cobra.Command {
	return &cobra.Command{
		Use:               name + " " + selectorsUse,
		Short:             short,
		Args:              arguments(1, -1, selectorsUse),
		ValidArgsFunction: c.completeNames,
		RunE:              run,
	}
}

func (c *cli) completeNames(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
	return c.names(cmd.Context()), cobra.ShellCompDirectiveNoFileComp
}

// act carries out an action and then shows the list.
func (c *cli) act(ctx context.Context, req app.ActionRequest) error {
	client, err := c.connect(ctx)
	if err != nil {
		return err
	}
	if req.Parallel == 0 && c.role == asPM2 {
		if req.Parallel, err = pm2.Concurrency(os.Getenv); err != nil {
			return err
		}
	}
	requests := []app.ActionRequest{req}
	if c.role == asPM2 {
		requests = oneByOne(req)
	}
	for _, req := range requests {
		if err = c.do(ctx, client, req); err != nil {
			break
		}
	}
	switch {
	case c.role == asPM2 && req.Action == app.ActionReload:
		return err // pm2 shows no list then
	case c.role == asPM2 && req.Action == app.ActionSignal && err == nil:
		c.remark("successfully sent signal %s to process name %s", req.Signal, strings.Join(req.Selectors, ", "))
	}
	return c.finish(ctx, client, err)
}

// oneByOne is how pm2 acts on what is named: in turn, and up to the first mistake.
func oneByOne(req app.ActionRequest) []app.ActionRequest {
	out := make([]app.ActionRequest, len(req.Selectors))
	for i, sel := range req.Selectors {
		out[i] = req
		out[i].Selectors = []string{sel}
	}
	return out
}

func (c *cli) do(ctx context.Context, client *ipc.Client, req app.ActionRequest) error {
	var err error
	if req.Selectors, err = asScripts(ctx, client, req.Selectors); err != nil {
		return err
	}
	if err := c.announce(ctx, client, req); err != nil {
		return err
	}
	return c.follow(client.Do(ctx, req))
}

// asScripts has a selector that names no process, but a file here, mean the processes of that script: stop ./app.js.
func asScripts(ctx context.Context, client *ipc.Client, selectors []string) ([]string, error) {
	out := slices.Clone(selectors)
	for i, sel := range out {
		info, err := os.Stat(sel)
		if err != nil || info.IsDir() || filepath.IsAbs(sel) {
			continue
		}
		if _, err := client.Processes(ctx, ipc.ListQuery{Selectors: []string{sel}}); !errors.Is(err, app.ErrNotFound) {
			continue // an error will come again
		}
		path, err := filepath.Abs(sel)
		if err != nil {
			return nil, err
		}
		if _, err := client.Processes(ctx, ipc.ListQuery{Selectors: []string{path}}); err == nil { // else the error is about what was given
			out[i] = path
		}
	}
	return out, nil
}

// announce says what is about to happen to which processes, in pm2's words; nothing matched is an
// error before anything is done.
func (c *cli) announce(ctx context.Context, client *ipc.Client, req app.ActionRequest) error {
	list, err := client.Processes(ctx, ipc.ListQuery{Selectors: req.Selectors})
	if err != nil {
		return err
	}
	if len(list) == 0 {
		c.warn("No process found")
		if c.role == asPM2 && req.Action != app.ActionReset {
			return reported{}
		}
		return nil
	}
	ids := make([]int, len(list))
	for i, st := range list {
		ids[i] = st.ID
	}
	c.announcement(req, ids)
	return nil
}

// finish shows the list after an action, also after one that failed in part.
func (c *cli) finish(ctx context.Context, client *ipc.Client, err error) error {
	if _, partly := errors.AsType[reported](err); (err != nil && !partly) || c.silent {
		return err
	}
	if listErr := c.anyList(ctx, client, c.listing); listErr != nil && err == nil {
		return unlessInterrupted(ctx, listErr) // what was asked for is done
	}
	return err
}

func newStopCommand(c *cli) *cobra.Command {
	return newEndCommand(c, app.ActionStop, "Stop processes, keep them in the list")
}

func newDeleteCommand(c *cli) *cobra.Command {
	cmd := newEndCommand(c, app.ActionDelete, "Stop processes and remove them from the list")
	cmd.Aliases = []string{"del"}
	return cmd
}

// newEndCommand is the common part of stop and delete. A file of apps stands for the names of its apps.
func newEndCommand(c *cli, action app.Action, short string) *cobra.Command {
	var o fileOptions
	var s settings
	cmd := newActionCommand(c, string(action), short, func(cmd *cobra.Command, args []string) error {
		selectors, err := c.resolve(cmd.Context(), args, &s, o)
		if err != nil {
			return err
		}
		return c.act(cmd.Context(), app.ActionRequest{Action: action, Selectors: selectors})
	})
	cmd.Use = string(action) + " " + filesUse
	o.addFlags(cmd)
	cmd.Flags().StringVar(&s.envName, "env", "", "of a file, the `name` that append_env_to_name has added")
	return cmd
}

func newResetCommand(c *cli) *cobra.Command {
	return newActionCommand(c, "reset", "Set the restart counters to zero", func(cmd *cobra.Command, args []string) error {
		err := c.act(cmd.Context(), app.ActionRequest{Action: app.ActionReset, Selectors: args})
		if _, notNumber := strconv.Atoi(args[0]); c.role == asPM2 && notNumber == nil && errors.Is(err, app.ErrNotFound) {
			c.fail(err) // an unknown id is no failure there
			return nil
		}
		return err
	})
}

func newSignalCommand(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:               "sendSignal <signal> " + selectorsUse,
		Short:             "Send a signal to processes",
		Args:              arguments(2, -1, "<signal> "+selectorsUse),
		ValidArgsFunction: c.completeNames,
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.act(cmd.Context(), app.ActionRequest{Action: app.ActionSignal, Signal: normaliseSignal(args[0]), Selectors: args[1:]})
		},
	}
}
