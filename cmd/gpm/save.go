package main

import (
	"context"
	"errors"
	"os"

	"github.com/spf13/cobra"

	"gpm/app"
)

func newSaveCommand(c *cli) *cobra.Command {
	var force bool
	cmd := &cobra.Command{
		Use:     "save",
		Aliases: []string{"dump"},
		Short:   "Keep the list as it is, for resurrect",
		Long: `Keep the list as it is, for resurrect, and write it to dump.pm2 in gpm's home as well. The daemon brings back what
is wanted to run by itself, after a crash and after a restart of the machine; a saved list is for going
back to it.`,
		Args: arguments(0, 0, ""),
		RunE: func(cmd *cobra.Command, _ []string) error {
			force = force || c.role == asPM2 && os.Getenv("FORCE") != ""
			return c.save(cmd.Context(), app.SaveRequest{Force: force})
		},
	}
	cmd.Flags().BoolVarP(&force, "force", "f", false, "an empty list too")
	return cmd
}

func (c *cli) save(ctx context.Context, req app.SaveRequest) error {
	client, err := c.connect(ctx)
	if err != nil {
		return err
	}
	c.say("Saving current process list...")
	saved, err := client.Save(ctx, req)
	switch {
	case err != nil:
		return err
	case saved.File == "":
		c.warn("%s is not managing any process, skipping save...", c.role)
		c.warn("To force saving use: %s", c.command("gpm save --force"))
		return nil
	}
	c.say("Successfully saved in %s", saved.File)
	return nil
}

func newCleardumpCommand(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:   "cleardump",
		Short: "Empty the list that save has kept",
		Args:  arguments(0, 0, ""),
		RunE: func(cmd *cobra.Command, _ []string) error {
			client, err := c.connect(cmd.Context())
			if err != nil {
				return err
			}
			saved, err := client.Save(cmd.Context(), app.SaveRequest{Clear: true})
			if err != nil {
				return err
			}
			c.say("Successfully created %s", saved.File)
			return nil
		},
	}
}

func newResurrectCommand(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:   "resurrect",
		Short: "Start what save has kept and is not running",
		Args:  arguments(0, 0, ""),
		RunE: func(cmd *cobra.Command, _ []string) error {
			client, err := c.connect(cmd.Context())
			if err != nil {
				return err
			}
			c.say("Resurrecting")
			err = c.follow(client.Resurrect(cmd.Context()))
			if errors.Is(err, app.ErrNotFound) { // as pm2: start-up scripts call it before anything was saved
				c.fail(err)
				return nil
			}
			return c.finish(cmd.Context(), client, err)
		},
	}
}
