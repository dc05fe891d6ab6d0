package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"gpm/app"
)

func newExamplesCommand(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:   "examples",
		Short: "Show what is typed most often",
		Args:  arguments(0, 0, ""),
		RunE: func(*cobra.Command, []string) error {
			_, err := fmt.Fprint(c.out, c.command(`- Start a program and add it to the list:
  $ gpm start app.js --name app

- Show the list:
  $ gpm ls

- Stop a program and take it from the list:
  $ gpm delete app

- Stop, start and restart what is in the list:
  $ gpm stop app
  $ gpm start app
  $ gpm restart app

- One process for each CPU, sharing the port, and a new version without a failed request:
  $ gpm start app.js -i max
  $ gpm reload app

- A file of apps:
  $ gpm init
  $ gpm start ecosystem.config.js --env production

- Output, and why it died:
  $ gpm logs app
  $ gpm why app

`))
			return err
		},
	}
}

func newInspectCommand(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:               "inspect <id|name>",
		Short:             "Have a Node process listen for a debugger",
		Args:              arguments(1, 1, "<id|name>"),
		ValidArgsFunction: c.completeNames,
		RunE: func(cmd *cobra.Command, args []string) error {
			client, st, err := c.one(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			details, err := client.BriefDetails(cmd.Context(), fmt.Sprint(st.ID))
			if err != nil {
				return err
			}
			if len(details) != 1 || details[0].Interpreter() != "node" || st.PID == 0 {
				return app.Errorf(app.CodeConflict, "cannot inspect %q: it is no Node process that runs", st.Name)
			}
			// Node opens its inspector when it gets this signal.
			if err := c.follow(client.Do(cmd.Context(), app.ActionRequest{Action: app.ActionSignal, Signal: "SIGUSR1", Selectors: []string{fmt.Sprint(st.ID)}})); err != nil {
				return err
			}
			c.say("%s (%d) listens for a debugger on 127.0.0.1:9229, or the port in its logs: chrome://inspect, or node inspect -p %d", clean(st.Name), st.ID, st.PID)
			return nil
		},
	}
}
