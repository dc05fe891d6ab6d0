package main

import (
	"os"

	"github.com/spf13/cobra"

	"gpm/app"
)

type restartOptions struct {
	*settings
	updateEnv bool
	parallel  int
}

func newRestartCommand(c *cli) *cobra.Command {
	var o restartOptions
	cmd := newActionCommand(c, "restart", "Restart processes, with new settings if given", func(cmd *cobra.Command, args []string) error {
		return restartFunc(c, cmd, args, o)
	})
	cmd.Use += " [-- args]"
	o.settings = addSettings(cmd)
	cmd.Flags().BoolVarP(&o.updateEnv, "update-env", "a", false, "take this environment, over the present one")
	cmd.Flags().IntVar(&o.parallel, "parallel", 0, "at most so `many` at once (default: the daemon's choice)")
	return cmd
}

func restartFunc(c *cli, cmd *cobra.Command, args []string, o restartOptions) error {
	req, err := restartRequest(args, cmd.ArgsLenAtDash(), o, os.Environ())
	if err != nil {
		return err
	}
	if !req.UpdateEnv {
		c.say("Use --update-env to update environment variables")
	}
	return c.act(cmd.Context(), req)
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
