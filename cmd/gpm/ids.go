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
	var asJSON bool
	cmd := &cobra.Command{
		Use:               "id <name|namespace>",
		Short:             "Print the ids of an app, [] for an unknown one",
		Args:              arguments(1, 1, "<name|namespace>"),
		ValidArgsFunction: c.completeNames,
		RunE: func(cmd *cobra.Command, args []string) error {
			list, err := c.known(cmd.Context(), args)
			if err != nil {
				return err
			}
			ids := numbersOf(list, func(s app.Status) int { return s.ID })
			if asJSON {
				return c.printJSON(ids)
			}
			_, err = fmt.Fprintln(c.out, jsList(ids))
			return err
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func newPIDCommand(c *cli) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:               "pid [id|name|namespace]",
		Short:             "Print process ids, one a line; 0 is not running",
		Args:              arguments(0, 1, "[id|name|namespace]"),
		ValidArgsFunction: c.completeNames,
		RunE: func(cmd *cobra.Command, args []string) error {
			list, err := c.known(cmd.Context(), args)
			if err != nil {
				return err
			}
			pids := numbersOf(list, func(s app.Status) int { return s.PID })
			if asJSON {
				return c.printJSON(pids)
			}
			return c.printPIDs(pids)
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
