package main

import (
	"context"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"time"

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
		if len(args) == 1 && args[0] == "-V" {
			args = []string{"--version"}
		}
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

// linkFiles lets scripts find the daemon's log and what else pm2 makes for a new home, and puts logs and pid files where pm2's variables say.
// That they cannot is no reason not to start.
func (c *cli) linkFiles(home string) {
	if c.role != asPM2 {
		return
	}
	files := pm2.Locate(home, os.Getenv)
	links := map[string]string{files.Own: filepath.Join(home, daemonLog)}
	for own, elsewhere := range map[string]string{"logs": files.Logs, "pids": files.Pids} {
		if path := filepath.Join(home, own); path != elsewhere {
			links[path] = elsewhere
			if err := os.MkdirAll(elsewhere, 0o700); err != nil {
				c.warn("cannot make %s: %s", elsewhere, err)
			}
		}
	}
	if err := errors.Join(os.MkdirAll(filepath.Join(home, "modules"), 0o700), os.WriteFile(files.Touch, nil, 0o600)); err != nil {
		c.warn("cannot make the files of pm2: %s", err)
	}
	if err := makeConf(files.Conf); err != nil {
		c.warn("cannot make %s: %s", files.Conf, err)
	}
	for path, target := range links {
		if err := os.Symlink(target, path); err != nil && !errors.Is(err, fs.ErrExist) {
			c.warn("cannot make %s: %s", path, err)
		}
	}
}

// makeConf writes an empty file of settings where there is none.
func makeConf(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	_, err = f.WriteString("{}")
	return errors.Join(err, f.Close())
}

// defaults are those of new apps: gpm's, or when called as pm2 its own, as its variables change them.
func (c *cli) defaults() (app.Spec, app.Fields, error) {
	if c.role != asPM2 {
		return app.Spec{Policy: app.DefaultPolicy()}, nil, nil
	}
	s, set, err := pm2.Defaults(os.Getenv)
	s.Policy.KillSignal = normaliseSignal(s.Policy.KillSignal)
	return s, set, err
}

// attachIf starts or restarts something, and then shows its output from that moment on, until it is interrupted.
func (c *cli) attachIf(ctx context.Context, wanted bool, begin func() error) error {
	begun := time.Now().Add(-indexGrain)
	if err := begin(); err != nil || !wanted {
		return err
	}
	return logsFunc(c, ctx, c.acted, logsOptions{lines: -1, since: begun.Format(time.RFC3339Nano)})
}

// indexGrain is how exactly the time of a line is known.
const indexGrain = 100 * time.Millisecond

// underlay puts defaults where neither the file nor the command says anything.
func underlay(spec, defaults app.Spec, missing app.Fields, set ...app.Fields) app.Spec {
	missing = maps.Clone(missing)
	for _, fields := range set {
		for field := range fields {
			delete(missing, field)
		}
	}
	return app.Merge(spec, defaults, missing)
}
