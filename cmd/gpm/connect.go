package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"gpm/app"
	"gpm/ipc"
)

// The log files in which a daemon that does not come up says why.
const (
	daemonLog = "daemon.log"
	masterLog = "master.log"
)

// startLimit is how long a daemon may take until it answers, pollPause how long to wait
// between two looks.
const (
	startLimit = 10 * time.Second
	pollPause  = 5 * time.Millisecond
)

// client returns a client, whether a daemon runs or not.
func (c *cli) client() (*ipc.Client, error) {
	if c.daemon == nil {
		home, err := c.home()
		if err != nil {
			return nil, err
		}
		c.daemon = ipc.New(home)
	}
	return c.daemon, nil
}

// connect returns a client of a running daemon; it starts one if there is none.
func (c *cli) connect(ctx context.Context) (*ipc.Client, error) {
	client, err := c.client()
	if err != nil {
		return nil, err
	}
	home, err := c.home()
	if err != nil {
		return nil, err
	}
	client.Revive = func(ctx context.Context) error { return c.bringUp(ctx, ipc.New(home), home) }
	err = client.Connect(ctx)
	if errors.Is(err, ipc.ErrNotRunning) {
		err = c.bringUp(ctx, client, home)
	}
	return client, err
}

// bringUp starts a daemon, or waits for one that another command is starting or that its master is
// starting again. The lock on the home decides which of them it is.
func (c *cli) bringUp(ctx context.Context, client *ipc.Client, home string) error {
	if err := prepareHome(home); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	said := markLogs(home)
	for {
		if up, err := answers(ctx, client); up || err != nil {
			return err
		}
		lock, ok, err := lockHome(home)
		if err != nil {
			return err
		}
		if ok {
			defer lock.Close()
			return c.launch(ctx, client, home, lock, said)
		}
		if err := pause(ctx); err != nil {
			return notUp(err, "its master runs, but no daemon answered for "+startLimit.String(), home, said)
		}
	}
}

// launch starts a master and waits for its daemon. The lock is held: nobody else does the same.
func (c *cli) launch(ctx context.Context, client *ipc.Client, home string, lock io.Closer, said logMarks) error {
	if up, err := answers(ctx, client); up || err != nil { // it came up before we got the lock
		return err
	}
	c.linkFiles(home)
	c.aside("Spawning %s daemon with %s_home=%s", c.role, strings.ToLower(string(c.role)), home)
	exe, err := os.Executable()
	if err != nil {
		return err
	}
	master, err := spawnMaster(exe, home, c.daemonEnv(), lock)
	if err != nil {
		return app.Errorf(app.CodeInternal, "cannot start the daemon of %s: %w", home, err).WithHint("see whether the home can be written to")
	}
	for {
		if up, err := answers(ctx, client); err != nil {
			return err
		} else if up {
			c.aside("%s successfully daemonized", c.role)
			return master.Release()
		}
		if exited(master) {
			return notUp(nil, "it ended at once", home, said)
		}
		if err := pause(ctx); err != nil {
			return notUp(err, "it did not answer within "+startLimit.String(), home, said)
		}
	}
}

// answers asks whether a daemon is up. One that is not there, or not yet, is no error.
func answers(ctx context.Context, client *ipc.Client) (bool, error) {
	_, err := client.Ping(ctx)
	if errors.Is(err, ipc.ErrNotRunning) || (err != nil && ctx.Err() != nil) {
		return false, nil
	}
	return err == nil, err
}

// pause waits between two looks; the error is ctx's.
func pause(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(pollPause):
		return nil
	}
}

// notUp says why there is no daemon: in its own last words if it had any, else in ours.
func notUp(cause error, why, home string, said logMarks) error {
	if errors.Is(cause, context.Canceled) {
		return cause
	}
	code := app.CodeInternal
	if cause != nil {
		code = app.CodeTimeout
	}
	if last := said.lastLine(); last != "" {
		why = last
	}
	return app.Errorf(code, "cannot start the daemon of %s: %s", home, why).WithHint("%s may tell more", filepath.Join(home, daemonLog))
}

// waitGone waits until no master holds the home any more.
func waitGone(ctx context.Context, home string) error {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	for {
		lock, ok, err := lockHome(home)
		if err != nil || ok {
			return errors.Join(err, closeLock(lock))
		}
		if err := pause(ctx); err != nil {
			return app.Errorf(app.CodeTimeout, "cannot end the master of %s: it still runs after %s", home, startLimit)
		}
	}
}

func closeLock(lock io.Closer) error {
	if lock == nil {
		return nil
	}
	return lock.Close()
}

// logMarks remembers how long the log files were, so that only new words count.
type logMarks []logMark

type logMark struct {
	path string
	size int64
}

func markLogs(home string) logMarks {
	var marks logMarks
	for _, name := range []string{daemonLog, masterLog} {
		m := logMark{path: filepath.Join(home, name)}
		if info, err := os.Stat(m.path); err == nil {
			m.size = info.Size()
		}
		marks = append(marks, m)
	}
	return marks
}

// maxReason bounds how much of a log is read for its last line.
const maxReason = 16 << 10

// lastLine returns the last line written since the mark, the daemon's before the master's.
func (marks logMarks) lastLine() string {
	for _, m := range marks {
		f, err := os.Open(m.path)
		if err != nil {
			continue
		}
		from := m.size
		if info, err := f.Stat(); err == nil {
			from = max(from, info.Size()-maxReason)
		}
		text, _ := io.ReadAll(io.NewSectionReader(f, from, maxReason))
		_ = f.Close()
		text = bytes.TrimSpace(text)
		if line := text[bytes.LastIndexByte(text, '\n')+1:]; len(line) > 0 {
			return string(line)
		}
	}
	return ""
}

// names returns the names of processes for completion, and none rather than starting a daemon.
func (c *cli) names(ctx context.Context) []string {
	ctx, cancel := context.WithTimeout(ctx, completionLimit)
	defer cancel()
	client, err := c.client()
	if err != nil {
		return nil
	}
	list, err := client.Processes(ctx, ipc.ListQuery{})
	if err != nil {
		return nil
	}
	return distinctNames(list)
}

// completionLimit is how long a shell may wait for a daemon.
const completionLimit = 300 * time.Millisecond

func distinctNames(list []app.Status) []string {
	seen := map[string]bool{}
	out := []string{"all"}
	for _, st := range list {
		if !seen[st.Name] {
			seen[st.Name] = true
			out = append(out, st.Name)
		}
	}
	return out
}
