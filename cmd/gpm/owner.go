package main

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"time"

	"gpm/app"
	"gpm/ipc"
)

// ownerName is a directory in a home that belongs to one command, gpm dev or gpm runtime. The command holds the lock on it:
// should it die without a word, the daemon takes that for the word to end everything.
const ownerName = "owner"

// temporaryName is a file in there that says that the home ends with its command.
const temporaryName = "temporary"

// ownerPause is the time between two looks for the owner.
const ownerPause = 500 * time.Millisecond

// own makes the home belong to this process until the lock is closed, which must not be before all has ended.
func (c *cli) own(temporary bool) (io.Closer, error) {
	home, err := c.home()
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(home, ownerName)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, homeError(home, err)
	}
	if temporary {
		if err := os.WriteFile(filepath.Join(dir, temporaryName), nil, 0o600); err != nil {
			return nil, homeError(home, err)
		}
	}
	lock, free, err := lockHome(dir)
	if err == nil && !free {
		err = app.Errorf(app.CodeConflict, "cannot use %s: another command has it", home)
	}
	return lock, err
}

// runOwned runs a daemon, and has it end all its processes and itself when the command that its home belongs to has died.
func runOwned(home string, run func() error) error {
	ctx, stop := context.WithCancel(context.Background())
	orphaned := make(chan bool, 1)
	go func() { orphaned <- endOrphaned(ctx, home) }()
	err := run()
	temporary := exists(filepath.Join(home, ownerName, temporaryName))
	stop()
	if <-orphaned && temporary {
		_ = os.RemoveAll(home) // there is nobody to tell
	}
	return err
}

// endOrphaned waits until the owner of a home is gone, asks its daemon to end, and says that it did. A home that
// has no owner is nobody's orphan.
func endOrphaned(ctx context.Context, home string) bool {
	dir := filepath.Join(home, ownerName)
	if !exists(dir) {
		return false
	}
	client := ipc.New(home)
	defer client.Close()
	for orphaned := false; ; {
		select {
		case <-ctx.Done():
			return orphaned
		case <-time.After(ownerPause):
		}
		lock, free, err := lockHome(dir)
		if err != nil || !free {
			continue
		}
		lock.Close()
		for range client.Kill(ctx) { // which is done again should it fail
			orphaned = true
		}
	}
}
