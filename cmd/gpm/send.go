package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"gpm/app"
)

func newSendCommand(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:   "send <id|name|namespace|all> <line|json>",
		Short: "Send a line to the standard input of a process, or a message to one of node",
		Long: `Send a line to a process. One that was started with --stdin reads it from its standard input; when gpm is called
pm2 each is. Others are processes of node, which get JSON as process.on('message').`,
		Args:              arguments(2, 2, "<id|name|namespace|all> <line|json>"),
		ValidArgsFunction: c.completeNames,
		RunE:              func(cmd *cobra.Command, args []string) error { return sendFunc(c, cmd.Context(), args[0], args[1]) },
	}
}

// sendFunc sends what is JSON as a message, unless the process reads its standard input.
func sendFunc(c *cli, ctx context.Context, selector, text string) error {
	client, err := c.connect(ctx)
	if err != nil {
		return err
	}
	details, err := client.BriefDetails(ctx, selector)
	if err != nil {
		return err
	}
	readsLines := slices.ContainsFunc(details, func(d app.Detail) bool { return d.Spec.Stdin })
	switch {
	case !readsLines && json.Valid([]byte(text)):
		return c.follow(client.Send(ctx, app.MessageRequest{Selectors: []string{selector}, Data: json.RawMessage(text)}))
	case !readsLines:
		return app.Errorf(app.CodeInvalid, "cannot send %.40q to %q: it is no JSON, and the process reads no lines", text, selector).
			WithHint("quote a text as JSON, '\"text\"'; gpm restart %s --stdin makes it read lines", selector)
	}
	_, st, err := c.one(ctx, selector)
	if err != nil {
		return err
	}
	return client.Input(ctx, app.InputRequest{ID: st.ID, Text: text + "\n"})
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

// triggerFunc prints the answers as pm2 does, and what a scoped action tells as it comes. An error that one of them reports is
// the command's.
func triggerFunc(c *cli, cmd *cobra.Command, req app.TriggerRequest) error {
	client, err := c.connect(cmd.Context())
	if err != nil {
		return err
	}
	var failed error
	for m, err := range client.Trigger(cmd.Context(), req) {
		if err != nil {
			return err
		}
		var answer struct {
			Return json.RawMessage `json:"return"`
			Data   json.RawMessage `json:"data"` // of scoped actions
		}
		if json.Unmarshal(m.Data, &answer) != nil {
			answer.Return = m.Data
		}
		switch m.Type {
		case app.AnswerError:
			failed = errors.Join(failed, app.Errorf(app.CodeInternal, "%q of %s (%d) reports an error: %s", req.Action, m.Name, m.ID, clean(string(answer.Data))))
		case app.AnswerReply:
			c.answer(m, answer.Return)
		case app.AnswerEnd:
			if len(answer.Data) > 0 {
				c.answer(m, answer.Data)
			}
		default:
			c.answer(m, answer.Data)
		}
	}
	return failed
}

// answer prints what a process says to a trigger.
func (c *cli) answer(m app.Message, said json.RawMessage) {
	fmt.Fprintf(c.out, "[%s:%d:%s]=%s\n", clean(m.Name), m.ID, clean(m.Namespace), clean(string(said)))
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
