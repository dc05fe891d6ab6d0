package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"gpm/app"
	"gpm/ipc"
)

type whyOptions struct {
	last int
	json bool
}

func newWhyCommand(c *cli) *cobra.Command {
	var o whyOptions
	cmd := &cobra.Command{
		Use:               "why <id|name|namespace>...",
		Short:             "Tell how processes lived and died",
		Args:              arguments(1, -1, "<id|name|namespace>"),
		ValidArgsFunction: c.completeNames,
		RunE:              func(cmd *cobra.Command, args []string) error { return whyFunc(c, cmd.Context(), args, o) },
	}
	cmd.Flags().IntVar(&o.last, "last", 30, "at most so `many` events; 0 is all")
	cmd.Flags().BoolVar(&o.json, "json", false, "print JSON")
	return cmd
}

func whyFunc(c *cli, ctx context.Context, args []string, o whyOptions) error {
	if o.last < 0 {
		return app.Errorf(app.CodeInvalid, "cannot show the last %d events", o.last)
	}
	client, err := c.connect(ctx)
	if err != nil {
		return err
	}
	events, err := client.History(ctx, ipc.HistoryQuery{Selectors: args, Last: o.last})
	if err != nil {
		return err
	}
	if o.json {
		return c.printJSON(orNone(events))
	}
	list, err := client.Processes(ctx, ipc.ListQuery{Selectors: args})
	if err != nil {
		return err
	}
	for _, s := range list {
		c.writeWhy(s, events)
	}
	return nil
}

func orNone(events []app.Event) []app.Event {
	if events == nil {
		return []app.Event{}
	}
	return events
}

// writeWhy prints where a process stands, why, and its history.
func (c *cli) writeWhy(s app.Status, events []app.Event) {
	p := c.paint()
	fmt.Fprintf(c.out, "%s (id %d) is %s", p.paint(bold, clean(s.Name)), s.ID, p.paint(stateStyle(s.State), s.State.String()))
	if s.Reason != "" {
		fmt.Fprintf(c.out, ": %s", clean(s.Reason))
	}
	fmt.Fprintf(c.out, "; %s since %s\n", plural(s.Restarts, "restart", "restarts"), moment(s.Created))
	for _, e := range events {
		if e.ID == s.ID {
			writeEvent(c.out, p, e, false)
		}
	}
}

// writeEvent prints one event, with the last lines that a process printed below its exit.
func writeEvent(w io.Writer, p painter, e app.Event, named bool) {
	fmt.Fprintf(w, "%s  ", p.paint(grey, e.At.Local().Format("2006-01-02 15:04:05.000")))
	if named {
		fmt.Fprintf(w, "%s  ", pad(eventSubject(e), 16))
	}
	fmt.Fprintf(w, "%s %s\n", p.paint(eventStyle(e), pad(string(e.Kind), 11)), clean(eventWords(e)))
	bar := "|"
	if e.Kind == app.EventExit {
		bar = "err |"
	}
	for _, line := range e.Out {
		fmt.Fprintf(w, "    %s %s\n", p.paint(green, "out |"), clean(line))
	}
	for _, line := range e.Lines {
		fmt.Fprintf(w, "    %s %s\n", p.paint(red, bar), clean(line))
	}
}

func eventSubject(e app.Event) string {
	if e.ID < 0 {
		return "gpm"
	}
	return fmt.Sprintf("%s(%d)", clean(e.Name), e.ID)
}

func eventStyle(e app.Event) style {
	switch e.Kind {
	case app.EventOnline, app.EventAdopted:
		return green
	case app.EventErrored, app.EventStuck:
		return red
	case app.EventExit:
		if e.Exit != nil && (e.Exit.Code != 0 || e.Exit.Unknown) && e.Exit.By == "" {
			return red
		}
	}
	return plain
}

// eventWords joins what an event says: pid, how it ended, why.
func eventWords(e app.Event) string {
	var words []string
	if e.PID != 0 {
		words = append(words, fmt.Sprintf("pid %d", e.PID))
	}
	if e.Exit != nil {
		words = append(words, exitWords(*e.Exit))
	}
	if e.Reason != "" && (e.Exit == nil || e.Reason != e.Exit.String()) {
		words = append(words, e.Reason)
	}
	return strings.Join(words, ", ")
}

// exitWords says how a process ended, after what time, and at whose wish.
func exitWords(e app.Exit) string {
	s := e.String()
	if e.Uptime > 0 {
		s += " after " + span(e.Uptime)
	}
	if e.By != "" {
		s += ", asked by " + e.By
	}
	return s
}
