package main

import (
	"context"
	"errors"
	"os/exec"

	"gpm/app"
	"gpm/boot"
)

// mayEnable refuses what a system without files would refuse half-way, or what ends no better.
func (c *cli) mayEnable(ctx context.Context, p boot.Plan, s boot.Service) error {
	if p.Exists == nil {
		return nil
	}
	if succeeds(ctx, p.Exists) {
		return app.Errorf(app.CodeConflict, "cannot make the service %s: it is there already", s.Name).WithHint("gpm unstartup %s removes it", p.Platform)
	}
	lock, free, err := lockHome(s.Home)
	if err == nil && !free {
		return app.Errorf(app.CodeConflict, "cannot make the service %s: a gpm runs in %s already", s.Name, s.Home).
			WithHint("gpm daemon stop ends it; the service starts again what should be up")
	}
	return errors.Join(err, closeLock(lock))
}

// succeeds runs a command that answers by its exit code.
func succeeds(ctx context.Context, words []string) bool {
	return exec.CommandContext(ctx, words[0], words[1:]...).Run() == nil
}
