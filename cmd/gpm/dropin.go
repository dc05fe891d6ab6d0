package main

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"gpm/app"
	"gpm/boot"
	"gpm/pm2"
)

// role is what gpm is taken for by the name it is called by.
type role string

// The roles.
const (
	asGPM role = "gpm"
	asPM2 role = "PM2" // the drop-in: pm2's home, prefix and defaults
)

// roleOf reads the name that gpm was called by, which may be a link, and returns the arguments that the name stands for.
func roleOf(name string, args []string) (role, []string) {
	switch strings.TrimSuffix(filepath.Base(name), ".exe") {
	case "pm2":
		return asPM2, args
	case "pm2-runtime", "pm2-docker":
		return asPM2, append([]string{"runtime"}, args...)
	case "gpm-runtime":
		return asGPM, append([]string{"runtime"}, args...)
	}
	return asGPM, args
}

// prefix begins every message.
func (c *cli) prefix() string { return "[" + string(c.role) + "]" }

// command is what the user has to type.
func (c *cli) command(text string) string {
	if c.role == asPM2 {
		return strings.ReplaceAll(text, "gpm ", "pm2 ")
	}
	return text
}

// dropInVariable tells master and daemon that they were started as pm2: its variables count, and its files are kept.
const dropInVariable = boot.DropIn

// daemonEnv is the environment of a master and its daemon.
func (c *cli) daemonEnv() []string {
	if c.role != asPM2 {
		return os.Environ()
	}
	return append(os.Environ(), dropInVariable+"=1")
}

// linkLog lets scripts find the daemon's log where pm2 has it. That they cannot is no reason not to start.
func (c *cli) linkLog(home string) {
	if c.role != asPM2 {
		return
	}
	path := pm2.Locate(home, os.Getenv).Own
	if err := os.Symlink(filepath.Join(home, daemonLog), path); err != nil && !errors.Is(err, fs.ErrExist) {
		c.warn("cannot make %s: %s", path, err)
	}
}

// pm2KillTimeout is pm2's.
const pm2KillTimeout = 1600 * time.Millisecond

// defaults are those of new apps: gpm's, or when called as pm2 its own, which PM2_KILL_TIMEOUT and
// PM2_KILL_SIGNAL change.
func (c *cli) defaults() (app.Spec, error) {
	s := app.Spec{Policy: app.DefaultPolicy()}
	if c.role != asPM2 {
		return s, nil
	}
	s.Stdin = true
	s.Policy.KillTimeout = pm2KillTimeout
	if text := os.Getenv("PM2_KILL_TIMEOUT"); text != "" {
		d, err := parseDuration(text)
		if err != nil {
			return s, app.Errorf(app.CodeInvalid, "cannot use PM2_KILL_TIMEOUT=%q: %w", text, err)
		}
		s.Policy.KillTimeout = d
	}
	s.Policy.KillSignal = normaliseSignal(cmp.Or(os.Getenv("PM2_KILL_SIGNAL"), s.Policy.KillSignal))
	return s, nil
}

// ignored are options of pm2 that switch what gpm does not have; scripts go on giving them.
var ignored = []string{
	"no-vizion", "no-pmx", "no-automation", "trace", "disable-trace", "v8", "event-loop-inspector", "deep-monitoring",
	"source-map-support", "disable-source-map-support",
}

func addIgnored(cmd *cobra.Command) {
	for _, name := range ignored {
		cmd.Flags().Bool(name, false, "")
		_ = cmd.Flags().MarkHidden(name) // it exists
	}
}

// attachIf shows what was started or restarted until it is interrupted.
func (c *cli) attachIf(ctx context.Context, wanted bool, err error) error {
	if err != nil || !wanted {
		return err
	}
	return logsFunc(c, ctx, c.acted, logsOptions{})
}

// underlay puts defaults where neither the file nor the command says anything.
func underlay(spec, defaults app.Spec, set ...app.Fields) app.Spec {
	missing := app.Fields{"stdin": true, "policy.kill_timeout": true, "policy.kill_signal": true}
	for _, fields := range set {
		for field := range fields {
			missing[field] = false
		}
	}
	return app.Merge(spec, defaults, missing)
}
