package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"gpm/app"
	"gpm/ipc"
)

func newIDCommand(c *cli) *cobra.Command {
	return newNumbersCommand(c, "id <name|namespace>", "Print the ids of an app, [] for an unknown one", 1,
		func(s app.Status) int { return s.ID }, func(ids []int) error {
			_, err := fmt.Fprintln(c.out, jsList(ids))
			return err
		})
}

func newPIDCommand(c *cli) *cobra.Command {
	return newNumbersCommand(c, "pid [id|name|namespace]", "Print process ids, one a line; 0 is not running", 0,
		func(s app.Status) int { return s.PID }, c.printPIDs)
}

// newNumbersCommand is a command that prints one number of each process that an argument matches.
func newNumbersCommand(c *cli, use, short string, least int, number func(app.Status) int, print func([]int) error) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:               use,
		Short:             short,
		Args:              arguments(least, 1, "<name|namespace>"),
		ValidArgsFunction: c.completeNames,
		RunE: func(cmd *cobra.Command, args []string) error {
			list, err := c.known(cmd.Context(), args)
			if err != nil {
				return err
			}
			if asJSON {
				return c.printJSON(numbersOf(list, number))
			}
			return print(numbersOf(list, number))
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// printPIDs prints an empty line when there is none, as pm2 does.
func (c *cli) printPIDs(pids []int) error {
	if len(pids) == 0 {
		_, err := fmt.Fprintln(c.out)
		return err
	}
	for _, pid := range pids {
		if _, err := fmt.Fprintln(c.out, pid); err != nil {
			return err
		}
	}
	return nil
}

// known returns what selectors match; nothing is no error here.
func (c *cli) known(ctx context.Context, selectors []string) ([]app.Status, error) {
	client, err := c.connect(ctx)
	if err != nil {
		return nil, err
	}
	list, err := client.Processes(ctx, ipc.ListQuery{Selectors: selectors})
	if errors.Is(err, app.ErrNotFound) {
		return nil, nil
	}
	return list, err
}

func numbersOf(list []app.Status, number func(app.Status) int) []int {
	out := make([]int, len(list))
	for i, s := range list {
		out[i] = number(s)
	}
	return out
}
