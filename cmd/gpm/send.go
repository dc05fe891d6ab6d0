package main

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"gpm/app"
)

func newSendCommand(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:               "send <id|name|namespace|all> <json>",
		Short:             "Send a message to processes of node, which get it as process.on('message')",
		Args:              arguments(2, 2, "<id|name|namespace|all> <json>"),
		ValidArgsFunction: c.completeNames,
		RunE: func(cmd *cobra.Command, args []string) error {
			if !json.Valid([]byte(args[1])) {
				return app.Errorf(app.CodeInvalid, "cannot send %.40q: no JSON", args[1]).
					WithHint(`quote it for the shell: gpm send %s '{"level":"debug"}'`, args[0])
			}
			client, err := c.connect(cmd.Context())
			if err != nil {
				return err
			}
			return c.follow(client.Send(cmd.Context(), app.MessageRequest{Selectors: args[:1], Data: json.RawMessage(args[1])}))
		},
	}
}

func newTriggerCommand(c *cli) *cobra.Command {
	var timeout time.Duration
	cmd := &cobra.Command{
		Use:               "trigger <id|name|namespace|all> <action> [param]",
		Short:             "Have processes carry out an action that they have announced (axm:action)",
		Args:              arguments(2, 3, "<id|name|namespace|all> <action> [param]"),
		ValidArgsFunction: c.completeNames,
		RunE: func(cmd *cobra.Command, args []string) error {
			req := app.TriggerRequest{Selectors: args[:1], Action: args[1], Timeout: timeout}
			if len(args) == 3 {
				req.Param = args[2]
			}
			return triggerFunc(c, cmd, req)
		},
	}
	cmd.Flags().DurationVar(&timeout, "timeout", 10*time.Second, "how long to wait for the answers")
	return cmd
}

// triggerFunc prints the answers as pm2 does.
func triggerFunc(c *cli, cmd *cobra.Command, req app.TriggerRequest) error {
	client, err := c.connect(cmd.Context())
	if err != nil {
		return err
	}
	for m, err := range client.Trigger(cmd.Context(), req) {
		if err != nil {
			return err
		}
		var reply struct {
			Return json.RawMessage `json:"return"`
		}
		if json.Unmarshal(m.Data, &reply) != nil {
			reply.Return = m.Data
		}
		fmt.Fprintf(c.out, "[%s:%d:%s]=%s\n", clean(m.Name), m.ID, clean(m.Namespace), clean(string(reply.Return)))
	}
	return nil
}

func newBusCommand(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:   "bus",
		Short: "Print the messages of all apps as they come, a JSON object a line",
		Args:  arguments(0, 0, ""),
		RunE: func(cmd *cobra.Command, _ []string) error {
			client, err := c.connect(cmd.Context())
			if err != nil {
				return err
			}
			ctx, stop := c.whileRead(cmd.Context())
			defer stop()
			for m, err := range client.Bus(ctx) {
				if err != nil {
					return unlessInterrupted(ctx, err)
				}
				if err := c.printJSON(m); err != nil {
					return err
				}
			}
			return nil
		},
	}
}
