package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// ownLogName says whether a selector of logs means the daemon's own log.
func ownLogName(args []string) bool {
	return len(args) == 1 && slices.Contains([]string{string(asPM2), string(asGPM)}, args[0])
}

// ownLogPause is how often it is looked for more.
const ownLogPause = 300 * time.Millisecond

// ownLog shows the last lines of the daemon's log, and what follows.
func (c *cli) ownLog(ctx context.Context, o logsOptions) error {
	home, err := c.home()
	if err != nil {
		return err
	}
	path, shown := filepath.Join(home, daemonLog), filepath.Join(home, daemonLog)
	if c.role == asPM2 {
		shown = filepath.Join(home, "pm2.log")
	}
	text, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("cannot read the daemon's log: %w", err)
	}
	fmt.Fprintln(c.out, c.paint().paint(grey, fmt.Sprintf("%s %s lines:", shown, o.howMany())))
	lines := bytes.SplitAfter(text, []byte("\n"))
	if o.lines >= 0 {
		lines = lines[max(0, len(lines)-1-o.lines):] // the last one is empty
	}
	if err := c.printOwn(bytes.Join(lines, nil)); err != nil || o.nostream {
		return err
	}
	return c.followOwn(ctx, path, int64(len(text)))
}

// followOwn prints what is added to the log after offset, until it is interrupted.
func (c *cli) followOwn(ctx context.Context, path string, offset int64) error {
	ctx, stop := c.whileRead(ctx)
	defer stop()
	ticker := time.NewTicker(ownLogPause)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
		if info, err := os.Stat(path); err == nil && info.Size() < offset {
			offset = 0 // it was emptied
		}
		more, err := readFrom(path, offset)
		if err != nil {
			return fmt.Errorf("cannot read the daemon's log: %w", err)
		}
		more = more[:bytes.LastIndexByte(more, '\n')+1]
		offset += int64(len(more))
		if err := c.printOwn(more); err != nil {
			return nil //nolint:nilerr // the reader has enough
		}
	}
}

// readFrom reads a file from an offset on.
func readFrom(path string, offset int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.NewSectionReader(f, offset, 1<<62))
}

func (c *cli) printOwn(text []byte) error {
	for line := range bytes.Lines(text) {
		if _, err := fmt.Fprintf(c.out, "%s%s\n", c.paint().paint(blue, pad(string(c.role), minNameWidth)+" | "), harmless(string(bytes.TrimSuffix(line, []byte("\n"))))); err != nil {
			return err
		}
	}
	return nil
}
