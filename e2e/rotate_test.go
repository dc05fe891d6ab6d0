//go:build linux

package e2e

import (
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"gpm/app"
)

// allLines reads a log with everything that was rotated away, oldest first.
func (h *home) allLines(name string) string {
	h.t.Helper()
	rotated, err := filepath.Glob(filepath.Join(h.dir, "logs", name+"__*"))
	if err != nil {
		h.t.Fatal(err)
	}
	slices.Sort(rotated)
	var all strings.Builder
	for _, path := range append(rotated, filepath.Join(h.dir, "logs", name+".log")) {
		h.copyLog(&all, path)
	}
	h.t.Logf("%s: %d rotated files", name, len(rotated))
	if len(rotated) == 0 {
		h.t.Error("nothing was rotated")
	}
	return all.String()
}

func (h *home) copyLog(to io.Writer, path string) {
	h.t.Helper()
	f, err := os.Open(path)
	if err != nil {
		h.t.Fatal(err)
	}
	defer f.Close()
	var from io.Reader = f
	if strings.HasSuffix(path, ".gz") {
		if from, err = gzip.NewReader(f); err != nil {
			h.t.Fatal(err)
		}
	}
	if _, err := io.Copy(to, from); err != nil {
		h.t.Fatal(err)
	}
}

// TestRotationUnderKill: an app prints at full speed while its log is rotated and compressed and the daemon is
// killed. Every line is there once and in order, with and without timestamps.
func TestRotationUnderKill(t *testing.T) {
	for name, options := range map[string][]string{"raw": nil, "stamped": {"--log-date-format", "YYYY"}} {
		t.Run(name, func(t *testing.T) {
			h := newHome(t)
			args := append([]string{"start", progBin, "--name", "flood", "--no-autorestart", "--log-max-size", fmt.Sprint(scaled(2, 10), "M"), "--log-keep", "100"}, options...)
			n := scaled(1_000_000, 10_000_000)
			h.must(append(args, "--", "printer", fmt.Sprint(n), "0")...)
			for range scaled(5, 50) {
				settle(t, 200*time.Millisecond)
				kill(t, h.daemon().PID)
			}
			h.until("it has printed everything", hang+time.Duration(n)*20*time.Microsecond, func() bool { return h.status("flood").State == app.Stopped })
			prefix := "out "
			if name == "stamped" {
				prefix = time.Now().Format("2006") + ": out "
			}
			checkNumbered(t, h.allLines("flood-out"), prefix)
			if got := len(lines(h.allLines("flood-error"))); got != n {
				t.Errorf("%d lines of stderr", got)
			}
		})
	}
}
