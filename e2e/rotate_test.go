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

// allLines reads a log with everything that was rotated away, oldest first, once all of that is compressed: until then
// its files change their names.
func (h *home) allLines(name string) string {
	h.t.Helper()
	var rotated []string
	h.until("what was rotated is compressed", 5*hang, func() bool {
		rotated, _ = filepath.Glob(filepath.Join(h.dir, "logs", name+"__*")) // the pattern is right
		return !slices.ContainsFunc(rotated, func(path string) bool { return !strings.HasSuffix(path, ".log.gz") })
	})
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

// TestRotatedFilesAge: what was set aside longer ago than max_age is removed with the next start, in whatever form it
// is; what is younger stays and is shown, and what belongs to another app is nobody's business.
func TestRotatedFilesAge(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	rotated := func(name string, age time.Duration, suffix string) string {
		at := time.Now().Add(-age)
		path := filepath.Join(h.dir, "logs", name+"__"+at.UTC().Format("2006-01-02T15-04-05.000000Z")+".log"+suffix)
		if err := os.WriteFile(path, []byte("out of "+age.String()+" ago\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, at, at); err != nil {
			t.Fatal(err)
		}
		return path
	}
	h.must("start", progBin, "--name", "aged", "--no-autorestart", "--log-max-age", "1d", "--", "printer", "1", "0")
	h.untilState("aged", app.Stopped)
	old := []string{rotated("aged-out", 25*time.Hour, ""), rotated("aged-out", 72*time.Hour, ".gz"), rotated("aged-error", 48*time.Hour, "")}
	young, other := rotated("aged-out", 23*time.Hour, ""), rotated("other-out", 72*time.Hour, "")
	h.must("restart", "aged")
	h.until("the old ones are gone", hang, func() bool {
		return !slices.ContainsFunc(old, func(path string) bool { _, err := os.Stat(path); return err == nil })
	})
	if _, err := os.Stat(other); err != nil {
		t.Error(err)
	}
	h.until("the younger one is shown", hang, func() bool {
		return strings.HasPrefix(h.must("logs", "aged", "--out", "--raw", "--nostream"), "out of 23h0m0s ago\nout 1\nout 1\n")
	})
	h.until("the younger one is kept, compressed", hang, func() bool { _, err := os.Stat(young + ".gz"); return err == nil })
}
