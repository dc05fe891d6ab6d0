package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"gpm/app"
	"gpm/ipc"
)

// one returns the only process that a selector names.
func (c *cli) one(ctx context.Context, selector string) (*ipc.Client, app.Status, error) {
	client, err := c.connect(ctx)
	if err != nil {
		return nil, app.Status{}, err
	}
	list, err := client.Processes(ctx, ipc.ListQuery{Selectors: []string{selector}})
	if err == nil && len(list) != 1 {
		err = app.Errorf(app.CodeInvalid, "cannot use %q: it names %d processes, and one is needed", selector, len(list)).
			WithHint("name it by its id")
	}
	if err != nil {
		return nil, app.Status{}, err
	}
	return client, list[0], nil
}

func newAttachCommand(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:   "attach <id> [separator]",
		Short: "Type to a process and see what it prints",
		Long: `Type to a process and see what it prints. A separator stands for the end of a line: what is typed is sent in the
parts between. Ctrl-D or ctrl-C leaves; the process goes on.`,
		Args:              arguments(1, 2, "<id>"),
		ValidArgsFunction: c.completeNames,
		RunE: func(cmd *cobra.Command, args []string) error {
			separator := ""
			if len(args) > 1 {
				separator = args[1]
			}
			return c.attach(cmd.Context(), args[0], separator)
		},
	}
}

// attach ends when the input does, or when it is interrupted. A read of a terminal cannot be interrupted: the
// goroutine that reads is left to the end of the command, which follows.
func (c *cli) attach(ctx context.Context, selector, separator string) error {
	client, st, err := c.one(ctx, selector)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	typed := make(chan error, 1)
	go func() { typed <- c.sendLines(ctx, client, st.ID, separator, os.Stdin) }()
	shown := make(chan error, 1)
	go func() { shown <- c.showOutput(ctx, client, st.ID) }()
	select {
	case err = <-typed:
		cancel()
		<-shown
	case err = <-shown:
	}
	return unlessInterrupted(ctx, err)
}

func (c *cli) sendLines(ctx context.Context, client *ipc.Client, id int, separator string, in io.Reader) error {
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		text := lines.Text() + "\n"
		if separator != "" {
			text = strings.ReplaceAll(lines.Text(), separator, "\n") + "\n"
		}
		if err := client.Input(ctx, app.InputRequest{ID: id, Text: text}); err != nil {
			return err
		}
	}
	return lines.Err()
}

// showOutput prints what a process writes from now on.
func (c *cli) showOutput(ctx context.Context, client *ipc.Client, id int) error {
	query := app.LogQuery{Selectors: []string{strconv.Itoa(id)}, Follow: true}
	for line, err := range client.Logs(ctx, query) {
		if err != nil {
			return err
		}
		if line.File != "" {
			continue
		}
		out := c.out
		if line.Stream == app.Stderr {
			out = c.err
		}
		if _, err := fmt.Fprintln(out, line.Text); err != nil {
			return err
		}
	}
	return nil
}
