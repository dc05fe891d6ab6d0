package main

import (
	"context"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"gpm/app"
)

type restartOptions struct {
	*settings
	fileOptions
	updateEnv bool
	parallel  int
	attach    bool
}

func newRestartCommand(c *cli) *cobra.Command {
	var o restartOptions
	cmd := newActionCommand(c, "restart", "Restart processes, with new settings if given", func(cmd *cobra.Command, args []string) error {
		return c.attachIf(cmd.Context(), o.attach, func() error { return restartFunc(c, cmd, args, o) })
	})
	cmd.Use = "restart " + filesUse + " [-- args]"
	o.settings = addSettings(cmd)
	o.addFlags(cmd)
	cmd.Flags().BoolVar(&o.attach, "attach", false, "then show the output from its start, until interrupted")
	cmd.Flags().BoolVarP(&o.updateEnv, "update-env", "a", false, "take this environment, over the present one")
	cmd.Flags().IntVar(&o.parallel, "parallel", 0, "at most so `many` at once (default: the daemon's choice)")
	return cmd
}

func restartFunc(c *cli, cmd *cobra.Command, args []string, o restartOptions) error {
	return c.restartOr(cmd, args, o, app.ActionRestart)
}

// restartOr restarts or reloads processes. A file of apps among the selectors is applied: its settings and its
// environment are always taken.
func (c *cli) restartOr(cmd *cobra.Command, args []string, o restartOptions, action app.Action) error {
	targets, spec, _ := splitTargets(args, cmd.ArgsLenAtDash(), o.settings)
	o.spec, o.action = spec, action
	files, rest := splitFiles(targets)
	if len(files) > 0 {
		if err := c.applyFiles(cmd.Context(), files, o.settings, o.fileOptions); err != nil || len(rest) == 0 {
			return err
		}
	}
	if err := o.noEnvName(); err != nil {
		return err
	}
	req, err := restartRequest(rest, -1, o, os.Environ())
	if err != nil {
		return err
	}
	if !req.UpdateEnv {
		c.remark("Use --update-env to update environment variables")
	}
	req.Action = action
	if c.role == asPM2 {
		if err := c.toggleWatch(cmd.Context(), req); err != nil {
			return err
		}
	}
	return c.act(cmd.Context(), req)
}

// toggleWatch has --watch end the watching of what is watched already, as pm2 does.
func (c *cli) toggleWatch(ctx context.Context, req app.ActionRequest) error {
	if !req.Set["watch"] || !slices.Equal(req.Spec.Watch, []string{"."}) {
		return nil
	}
	client, err := c.connect(ctx)
	if err != nil {
		return err
	}
	found, err := client.BriefDetails(ctx, req.Selectors...)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(found, func(d app.Detail) bool { return !d.Watching }) {
		req.Spec.Watch = nil
	}
	return nil
}

// restartRequest makes a request of a command line; see startRequest for dash.
func restartRequest(args []string, dash int, o restartOptions, environ []string) (app.ActionRequest, error) {
	selectors, spec, set := splitTargets(args, dash, o.settings)
	if len(selectors) == 0 {
		return app.ActionRequest{}, app.Errorf(app.CodeInvalid, "cannot restart: no process named").
			WithHint("gpm restart %s", selectorsUse)
	}
	if set["instances"] || set["exec_mode"] {
		return app.ActionRequest{}, app.Errorf(app.CodeInvalid, "cannot change the number of instances or the mode by a restart").
			WithHint("gpm delete %s, and start it anew", selectors[0])
	}
	if o.parallel < 0 {
		return app.ActionRequest{}, app.Errorf(app.CodeInvalid, "cannot restart %d at once", o.parallel)
	}
	req := app.ActionRequest{Action: app.ActionRestart, Selectors: selectors, Parallel: o.parallel}
	req.UpdateEnv = o.updateEnv || set["env"]
	if o.updateEnv {
		spec.Env = mergeEnviron(environ, spec.Env)
		set["env"] = true
	}
	if len(set) > 0 {
		req.Spec, req.Set = &spec, set
	}
	return req, checkSize(selectors, spec)
}
