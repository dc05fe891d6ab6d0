package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"gpm/app"
	"gpm/ipc"
)

func newFlushCommand(c *cli) *cobra.Command {
	return newFilesCommand(c, "flush [id|name|namespace|/regex/|all]", "Empty log files, without an argument the daemon's too", 1,
		func(ctx context.Context, client *ipc.Client, args []string) (app.Flushed, error) {
			c.say("Flushing:")
			flushed, err := client.Flush(ctx, app.FlushRequest{Selectors: args})
			if errors.Is(err, app.ErrNotFound) { // pm2: nothing to empty is no failure
				c.warn("%s", err)
				return flushed, nil
			}
			return flushed, err
		}, "Logs flushed")
}

func newReloadLogsCommand(c *cli) *cobra.Command {
	return newFilesCommand(c, "reloadLogs", "Open all log files anew, after another program renamed them", 0,
		func(ctx context.Context, client *ipc.Client, _ []string) (app.Flushed, error) {
			c.remark("Reloading all logs...")
			return client.Reopen(ctx)
		},
		"All logs reloaded")
}

// newFilesCommand is a command that does something to log files and says to which.
func newFilesCommand(c *cli, use, short string, most int, do func(context.Context, *ipc.Client, []string) (app.Flushed, error), done string) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:               use,
		Short:             short,
		Args:              arguments(0, most, ""),
		ValidArgsFunction: c.completeNames,
		RunE: func(cmd *cobra.Command, args []string) error {
			client, err := c.connect(cmd.Context())
			if err != nil {
				return err
			}
			files, err := do(cmd.Context(), client, args)
			if err != nil {
				return err
			}
			if asJSON {
				return c.printJSON(files)
			}
			for _, file := range files.Files {
				c.say("%s", file)
			}
			c.say("%s", done)
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}
