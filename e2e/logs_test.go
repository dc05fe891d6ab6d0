//go:build linux

package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"gpm/app"
)

// printed starts a printer that has printed count lines on each stream.
func (h *home) printed(name string, count int) {
	h.t.Helper()
	h.must("start", progBin, "--name", name, "--no-autorestart", "--", "printer", fmt.Sprint(count), "0")
	h.untilState(name, app.Stopped)
}

// TestLogsTail: the last lines of each file, by app and by stream.
func TestLogsTail(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	h.printed("a", 100)
	h.printed("b", 5)
	for _, c := range []struct {
		args []string
		want string // ids and texts
	}{
		{[]string{"a", "--lines", "2", "--out"}, "a out 99,a out 100"},
		{[]string{"a", "--lines", "1", "--err"}, "a err 100"},
		{[]string{"a", "b", "--lines", "1", "--out"}, "a out 100,b out 5"},
		{[]string{"--lines", "1", "--out"}, "a out 100,b out 5"},
		{[]string{"/^b/", "--lines", "0"}, ""},
		{[]string{"1", "--lines", "1000", "--err"}, "b err 1,b err 2,b err 3,b err 4,b err 5"},
	} {
		out := h.must(append([]string{"logs", "--nostream", "--json"}, c.args...)...)
		var got []string
		for _, line := range lines(out) {
			var l struct{ Message, AppName string } // as pm2 prints them
			if err := json.Unmarshal([]byte(strings.Replace(line, "app_name", "AppName", 1)), &l); err != nil {
				t.Fatalf("logs %v: %v: %s", c.args, err, line)
			}
			got = append(got, l.AppName+" "+l.Message)
		}
		if strings.Join(got, ",") != c.want {
			t.Errorf("logs %v: %q, want %q", c.args, got, c.want)
		}
	}
	if n := strings.Count(h.must("logs", "a", "--nostream", "--lines", "-1", "--raw", "--out"), "\n"); n < 100 {
		t.Errorf("all lines are %d", n)
	}
	if n := strings.Count(h.must("logs", "a", "--nostream", "--out"), "out "); n != 15 {
		t.Errorf("without --lines there are %d, want 15", n)
	}
	if out := h.must("logs", "b", "--nostream", "--lines", "1", "--out"); !strings.Contains(out, "1|b") || !strings.Contains(out, "| out 5") {
		t.Errorf("a line looks like this: %q", out)
	}
	h.fails("nope", "logs", "nope", "--nostream")
}

// TestLogsFollow: what is printed from now on, by an app that is there and by one that comes back.
func TestLogsFollow(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	h.printed("a", 3)
	f := h.follow("logs", "a", "--raw", "--lines", "1")
	f.until(t, "the last line", func(line string) bool { return line == "out 3" })
	h.must("restart", "a", "--", "printer", "0", "100")
	f.until(t, "the line after it", func(line string) bool { return line == "out 1" })
	f.until(t, "more", func(line string) bool { return line == "out 20" })
	h.must("stop", "a")
}

// TestBrokenPipe: `gpm logs | head` ends when head does, and says nothing.
func TestBrokenPipe(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	h.must("start", progBin, "--name", "noisy", "--", "printer", "0", "200")
	h.until("it has printed", hang, func() bool { return strings.Contains(h.outLog("noisy"), "out 5") })
	for _, args := range []string{"logs noisy --raw --out", "logs noisy --json", "events --follow", "list", "events"} {
		cmd := exec.Command("bash", "-c", "timeout 20 "+gpmBin+" "+args+" 2>errors | head -n 1 >/dev/null; code=${PIPESTATUS[0]}; cat errors; exit $code")
		like := h.command()
		cmd.Dir, cmd.Env = like.Dir, like.Env
		out, err := cmd.CombinedOutput()
		status, _ := cmd.ProcessState.Sys().(syscall.WaitStatus)
		if len(out) > 0 || status.ExitStatus() == 124 {
			t.Errorf("gpm %s | head: %v, %q", args, err, out)
		}
	}
}

// TestLogDriverStdout: where gpm runs in the foreground, what apps print is there as well, also after a kill of the
// daemon; in the background it says that there is no such place.
func TestLogDriverStdout(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	if err := os.MkdirAll(h.dir, 0o700); err != nil {
		t.Fatal(err)
	}
	f := h.follow("master", "--home", h.dir)
	h.until("the daemon answers", hang, func() bool { return h.run("daemon", "status").code == 0 }) // which starts none
	h.must("start", progBin, "--name", "talker", "--log-driver", "stdout", "-o", "/dev/null", "--", "printer", "0", "200")
	for i, until := range []int{50, 150, 250} {
		if i > 0 {
			kill(t, h.daemon().PID)
		}
		f.until(t, "what the app printed", func(line string) bool { return line == fmt.Sprint("out ", until) })
	}
	f.until(t, "its stderr", func(line string) bool { return strings.HasPrefix(line, "err ") })
	h.must("kill")
}

// TestReopen: files that somebody renames are opened anew by command and by signal, and no line is lost.
func TestReopen(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	h.must("start", progBin, "--name", "talker", "--", "printer", "0", "500")
	path := filepath.Join(h.dir, "logs", "talker-out.log")
	for i, reopen := range []func(){
		func() { h.must("reloadLogs") },
		func() { _ = syscall.Kill(h.daemon().MasterPID, syscall.SIGUSR2) },
	} {
		h.until("there are lines", 30*time.Second, func() bool { text, err := os.ReadFile(path); return err == nil && len(text) > 100 })
		if err := os.Rename(path, fmt.Sprint(path, ".", i)); err != nil {
			t.Fatal(err)
		}
		reopen()
	}
	h.until("the file is there again", 30*time.Second, func() bool { text, err := os.ReadFile(path); return err == nil && len(text) > 0 })
	h.must("stop", "talker")
	var all strings.Builder
	for _, suffix := range []string{".0", ".1", ""} {
		h.copyLog(&all, path+suffix)
	}
	checkNumbered(t, all.String(), "out ")
	if !h.daemon().MasterUp.Before(time.Now()) || h.daemon().Restarts != 0 {
		t.Error("the signal ended something")
	}
}
