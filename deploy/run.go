package deploy

import (
	"context"
	"fmt"
	"io"
	"os/exec"
	"time"
)

// Runner runs steps one after another.
type Runner struct {
	Dir    string // of steps that run here: the ecosystem file's
	Stdin  io.Reader
	Stdout io.Writer
	Stderr io.Writer
	Begin  func(Step) // told before each step; may be nil
}

// grace is how long what a script started may hold our pipes after ctx ended it.
const grace = 5 * time.Second

// Run ends with the first step that fails, or with ctx.
func (r Runner) Run(ctx context.Context, steps []Step) error {
	for _, s := range steps {
		if r.Begin != nil {
			r.Begin(s)
		}
		cmd := s.command(ctx)
		cmd.Dir = r.Dir
		cmd.Stdin, cmd.Stdout, cmd.Stderr = r.Stdin, r.Stdout, r.Stderr
		if err := cmd.Run(); err != nil {
			return fmt.Errorf("cannot %s: %w", s.where(), err)
		}
	}
	return nil
}

func (s Step) where() string {
	if s.Host == "" {
		return s.Title
	}
	return s.Title + " on " + s.Host
}

// command hands the script over as one word, whatever the login shell of the
// server is.
func (s Step) command(ctx context.Context) *exec.Cmd {
	var cmd *exec.Cmd
	if len(s.SSH) == 0 {
		cmd = exec.CommandContext(ctx, "sh", "-c", s.Script)
	} else {
		args := append(append([]string{}, s.SSH...), "sh -c "+quote(s.Script))
		cmd = exec.CommandContext(ctx, "ssh", args...)
	}
	cmd.WaitDelay = grace
	return cmd
}
