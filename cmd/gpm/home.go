package main

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"

	"gpm/app"
	"gpm/pm2"
)

// databaseName is the store's file in a home.
const databaseName = "gpm.db"

// home returns the absolute path of the home: --home, GPM_HOME or ~/.gpm.
func (c *cli) home() (string, error) {
	dir := c.homeFlag
	switch {
	case dir != "":
	case c.role == asPM2:
		dir = pm2.HomeDir(os.Getenv)
	default:
		dir = os.Getenv("GPM_HOME")
	}
	if dir == "" {
		user, err := os.UserHomeDir()
		if err != nil {
			return "", app.Errorf(app.CodeInvalid, "cannot find the gpm home: %w", err).
				WithHint("set GPM_HOME or give --home")
		}
		dir = filepath.Join(user, ".gpm")
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return "", app.Errorf(app.CodeInvalid, "cannot use %s as the gpm home: %w", dir, err)
	}
	return abs, nil
}

// prepareHome makes a home, or checks that one can be used: whoever can write to it decides what
// its daemon runs.
func prepareHome(home string) error {
	if err := os.MkdirAll(home, 0o700); err != nil {
		if info, statErr := os.Stat(home); statErr == nil && !info.IsDir() {
			err = errors.New("it is a file")
		}
		return homeError(home, err)
	}
	info, err := os.Stat(home)
	if err != nil {
		return homeError(home, err)
	}
	if err := checkHome(home, info); err != nil {
		return homeError(home, err)
	}
	return nil
}

func homeError(home string, err error) error {
	if pathErr, ok := errors.AsType[*fs.PathError](err); ok {
		err = pathErr.Err // the path is said already
	}
	return app.Errorf(app.CodeInvalid, "cannot use %s as the gpm home: %w", home, err).
		WithHint("set GPM_HOME or --home to a directory of your own")
}

// spawnMaster starts a program as a master that is independent of us, and hands the lock on the home on to it.
func spawnMaster(exe, home string, env []string, lock io.Closer) (*os.Process, error) {
	log, err := os.OpenFile(filepath.Join(home, masterLog), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd := &exec.Cmd{Path: exe, Args: []string{"gpm", "master", "--home", home}, Env: env, Stdout: log, Stderr: log}
	detach(cmd, lock)
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return cmd.Process, nil
}
