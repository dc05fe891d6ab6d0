package main

import (
	"github.com/spf13/cobra"

	"gpm/app"
)

func newReloadCommand(c *cli) *cobra.Command {
	var o restartOptions
	cmd := newActionCommand(c, "reload", "Replace the processes of a cluster one by one, without a failed request", func(cmd *cobra.Command, args []string) error {
		return c.attachIf(cmd.Context(), o.attach, func() error { return reloadFunc(c, cmd, args, o) })
	})
	cmd.Use = "reload " + filesUse + " [-- args]"
	cmd.Long = `Each process gets a successor, which must listen where the old one does (or say "ready") within the
listen timeout. Only then is the old one asked to finish and to end. The first successor that fails
ends the reload: the old processes go on. What is not a cluster is restarted.`
	o.settings = addSettings(cmd)
	o.addFlags(cmd)
	cmd.Flags().BoolVar(&o.attach, "attach", false, "then show the output from its start, until interrupted")
	cmd.Flags().BoolVarP(&o.updateEnv, "update-env", "a", false, "take this environment, over the present one")
	cmd.Flags().IntVar(&o.parallel, "parallel", 0, "after the first, at most so `many` at once (default 1)")
	return cmd
}

func reloadFunc(c *cli, cmd *cobra.Command, args []string, o restartOptions) error {
	return c.restartOr(cmd, args, o, app.ActionReload)
}
