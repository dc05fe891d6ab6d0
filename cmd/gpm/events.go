package main

import (
	"context"

	"github.com/spf13/cobra"

	"gpm/app"
	"gpm/ipc"
)

type eventsOptions struct {
	follow bool
	last   int
	json   bool
}

func newEventsCommand(c *cli) *cobra.Command {
	var o eventsOptions
	cmd := &cobra.Command{
		Use:   "events",
		Short: "Show what happened to all processes",
		Args:  arguments(0, 0, ""),
		RunE:  func(cmd *cobra.Command, _ []string) error { return eventsFunc(c, cmd.Context(), o) },
	}
	cmd.Flags().BoolVarP(&o.follow, "follow", "f", false, "go on with what happens next")
	cmd.Flags().IntVar(&o.last, "last", 50, "at most so `many` of the past; 0 is all")
	cmd.Flags().BoolVar(&o.json, "json", false, "print a JSON object a line")
	return cmd
}

func eventsFunc(c *cli, ctx context.Context, o eventsOptions) error {
	if o.last < 0 {
		return app.Errorf(app.CodeInvalid, "cannot show the last %d events", o.last)
	}
	client, err := c.connect(ctx)
	if err != nil {
		return err
	}
	ctx, stop := c.whileRead(ctx)
	defer stop()
	out := &lineWriter{w: c.out}
	for e, err := range client.Events(ctx, ipc.EventQuery{Last: o.last, Follow: o.follow}) {
		if err != nil {
			return unlessInterrupted(ctx, err)
		}
		if o.json {
			out.json(e)
		} else {
			writeEvent(out, c.paint(), e, true)
		}
		if out.err != nil {
			return nil // the reader has enough
		}
	}
	return nil
}
