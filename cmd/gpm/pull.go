package main

import (
	"context"
	"os"
	"os/exec"
	"strings"

	"github.com/spf13/cobra"

	"gpm/app"
	"gpm/deploy"
)

// newPullCommands are pm2's commands that move an app's git repository and reload the app.
func newPullCommands(c *cli) []*cobra.Command {
	pull := newPullCommand(c, "pull <name> [commit]", "Update an app's git repository, run its post_update commands, reload it", 2, func(args []string) deploy.Move {
		if len(args) > 1 {
			return deploy.PullTo(args[1])
		}
		return deploy.Pull
	})
	pull.Long = pull.Short + `. The repository is that of the app's working directory. It moves to
the newest commit of the branch that it follows, or to the commit named. Nothing is reloaded when it is there already; when
a command of post_update fails, the repository goes back to where it was.`
	forward := newPullCommand(c, "forward <name>", "The same, to the next commit only", 1, func([]string) deploy.Move { return deploy.Forward })
	backward := newPullCommand(c, "backward <name>", "The same, to the commit before", 1, func([]string) deploy.Move { return deploy.Backward })
	return []*cobra.Command{pull, forward, backward}
}

func newPullCommand(c *cli, use, short string, most int, move func(args []string) deploy.Move) *cobra.Command {
	return &cobra.Command{
		Use: use, Short: short, Args: arguments(1, most, "<name>"), ValidArgsFunction: c.completeNames,
		RunE: func(cmd *cobra.Command, args []string) error {
			return pullFunc(c, cmd.Context(), cmd.Name(), args[0], move(args))
		},
	}
}

func pullFunc(c *cli, ctx context.Context, verb, name string, move deploy.Move) error {
	client, err := c.connect(ctx)
	if err != nil {
		return err
	}
	details, err := client.BriefDetails(ctx, name)
	if err != nil {
		return err
	}
	spec := details[0].Spec
	for _, d := range details[1:] {
		if d.Spec.Cwd != spec.Cwd {
			return app.Errorf(app.CodeInvalid, "cannot %s %q: its processes are in several directories", verb, name).WithHint("name one app")
		}
	}
	repository := deploy.Repository{Dir: spec.Cwd}
	moved, err := repository.Go(ctx, move)
	if err != nil {
		return app.Errorf(app.AsError(err).Code, "cannot %s %q: %w", verb, name, err).WithHint("%s", app.AsError(err).Hint)
	}
	if moved.From == moved.To {
		c.say("%s is at commit %.10s already: nothing to do", spec.Cwd, moved.To)
		return nil
	}
	c.say("%s: from commit %.10s to %.10s", spec.Cwd, moved.From, moved.To)
	if err := c.postUpdate(ctx, spec); err != nil {
		if back := repository.Reset(context.WithoutCancel(ctx), moved.From); back != nil {
			return app.Errorf(app.CodeInternal, "%w; the repository is at commit %.10s, for it cannot go back: %w", err, moved.To, back)
		}
		return app.Errorf(app.CodeInvalid, "%w; the repository is back at commit %.10s", err, moved.From).WithHint("nothing was reloaded")
	}
	return c.act(ctx, app.ActionRequest{Action: app.ActionReload, Selectors: []string{name}})
}

// postUpdate runs the app's commands in its directory, as whoever called us.
func (c *cli) postUpdate(ctx context.Context, spec app.Spec) error {
	for _, line := range spec.PostUpdate {
		c.say("%s", line)
		cmd := exec.CommandContext(ctx, "sh", "-c", line)
		cmd.Dir, cmd.Stdin, cmd.Stdout, cmd.Stderr = spec.Cwd, os.Stdin, c.out, c.err
		if err := cmd.Run(); err != nil {
			return app.Errorf(app.CodeInvalid, "cannot update %q: the command %q failed: %w", spec.Name, strings.TrimSpace(line), err)
		}
	}
	return nil
}
