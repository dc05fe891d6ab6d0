//go:build linux

package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"gpm/app"
)

// scaled is how much of something a test does: little in every run of the tests, all of it in `make logs-proof`.
func scaled(short, long int) int {
	if os.Getenv("GPM_LOGS_PROOF") != "" {
		return long
	}
	return short
}

// TestLastLines: what an app wrote before its end is there, whatever it is written in and however it ends.
func TestLastLines(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	const n = 20000
	programs := map[string]string{
		"exit.py": fmt.Sprintf("import os,sys\nfor i in range(1,%d): print('out',i)\nsys.stdout.flush()\nos._exit(3)\n", n+1),
		"kill.py": fmt.Sprintf("import os,sys\nfor i in range(1,%d): print('out',i)\nsys.stdout.flush()\nos.kill(os.getpid(),9)\n", n+1),
		"exit.sh": fmt.Sprintf("i=0; while [ $i -lt %d ]; do i=$((i+1)); echo \"out $i\"; done; exit 3\n", n),
		"kill.sh": fmt.Sprintf("i=0; while [ $i -lt %d ]; do i=$((i+1)); echo \"out $i\"; done; kill -9 $$\n", n),
	}
	needNode(t)
	programs["exit.js"] = fmt.Sprintf("for (let i=1;i<=%d;i++) console.log('out '+i); process.exit(3)\n", n)
	programs["kill.js"] = fmt.Sprintf("for (let i=1;i<=%d;i++) console.log('out '+i); process.kill(process.pid,'SIGKILL')\n", n)
	for file, text := range programs {
		h.must("start", h.write(file, text, 0o644), "--name", file, "--no-autorestart")
	}
	h.must("start", progBin, "--name", "go", "--no-autorestart", "--", "printer", strconv.Itoa(n), "0")
	inC := h.compile(printerInC)
	for _, end := range []string{"exit", "flush", "unbuffered", "kill"} {
		programs[end+".c"] = ""
		h.must("start", inC, "--name", end+".c", "--no-autorestart", "--", end, strconv.Itoa(n))
	}
	for file := range programs {
		st := h.untilState(file, app.Stopped)
		if strings.HasPrefix(file, "kill") && (st.Exit == nil || st.Exit.Signal != "SIGKILL") {
			t.Errorf("%s: %+v", file, st.Exit)
		}
		h.checkPrinted(file, n)
	}
	h.untilState("go", app.Stopped)
	h.checkPrinted("go", n)
}

// printerInC prints numbered lines and ends: by exit, which writes what stdio has; at once, after it has written
// that; at once, each line having been written by itself; by a signal.
const printerInC = `
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
int main(int argc, char **argv) {
	if (!strcmp(argv[1], "unbuffered") || !strcmp(argv[1], "kill"))
		setvbuf(stdout, NULL, _IONBF, 0);
	for (int i = 1; i <= atoi(argv[2]); i++)
		printf("out %d\n", i);
	if (!strcmp(argv[1], "exit"))
		exit(3);
	if (!strcmp(argv[1], "kill"))
		raise(SIGKILL);
	if (!strcmp(argv[1], "flush"))
		fflush(stdout);
	_exit(3);
}
`

// compile makes a program of C.
func (h *home) compile(text string) string {
	h.t.Helper()
	cc, err := exec.LookPath("gcc")
	if err != nil {
		cc = "clang" // make deps has seen to one of them
	}
	bin := filepath.Join(h.t.TempDir(), "c")
	cmd := exec.Command(cc, "-o", bin, "-x", "c", "-")
	cmd.Stdin = strings.NewReader(text)
	if out, err := cmd.CombinedOutput(); err != nil {
		h.t.Fatalf("%v\n%s", err, out)
	}
	return bin
}

// checkPrinted says whether an app's stdout has the lines "out 1" to "out n", each once and in order.
func (h *home) checkPrinted(name string, n int) {
	h.t.Helper()
	text := h.outLog(name)
	checkNumbered(h.t, text, "out ")
	if got := strings.Count(text, "\n"); got != n {
		h.t.Errorf("%s: %d lines, want %d", name, got, n)
	}
}

// TestManyPrinters: many apps that print at a steady rate lose nothing.
func TestManyPrinters(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	apps, n := scaled(20, 100), scaled(500, 60000)
	h.must("start", progBin, "--name", "many", "-i", strconv.Itoa(apps), "-x", "--no-autorestart", "--", "printer", strconv.Itoa(n), "1000")
	h.until("all have ended", hang+time.Duration(n)*5*time.Millisecond, func() bool {
		for _, st := range h.instances("many") {
			if st.State != app.Stopped {
				return false
			}
		}
		return true
	})
	files, err := filepath.Glob(filepath.Join(h.dir, "logs", "many-out*.log"))
	if err != nil || len(files) != apps {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, path := range files {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		checkNumbered(t, string(text), "out ")
		if got := strings.Count(string(text), "\n"); got != n {
			t.Errorf("%s: %d lines, want %d", path, got, n)
		}
	}
}

// TestFullLogDisk: an app goes on while the disk of its log is full; what is lost is counted and told, and when there is
// room the log goes on by itself.
func TestFullLogDisk(t *testing.T) {
	t.Parallel()
	nobody(t)
	h := newHome(t)
	dir := t.TempDir()
	h.mountSmall(dir, "256k")
	filler, path := filepath.Join(dir, "filler"), filepath.Join(dir, "out.log")
	const n = 60000
	h.must("start", progBin, "--name", "talker", "--no-autorestart", "-o", path, "-e", "/dev/null", "--", "printer", strconv.Itoa(n), "10000")
	fill(t, filler)
	h.until("the list says that it cannot be written", hang, func() bool {
		return strings.Contains(h.status("talker").LogTrouble, "no space left") && strings.Contains(h.status("talker").LogTrouble, "bytes were lost")
	})
	if out := h.must("list"); !strings.Contains(out, "[LOGS] talker(0) cannot write "+path) {
		t.Errorf("the list is\n%s", out)
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	h.until("it is written again", hang, func() bool { return h.status("talker").LogTrouble == "" })
	if out := h.must("events"); !strings.Contains(out, "writes to "+path+" again") {
		t.Errorf("the events are\n%s", out)
	}
	h.must("stop", "talker")
	h.checkLoss(path)
}

// TestReadOnlyLogDisk: an app starts although the disk of its log has become read-only meanwhile, and its log goes on by
// itself when that is over.
func TestReadOnlyLogDisk(t *testing.T) {
	t.Parallel()
	nobody(t)
	h := newHome(t)
	dir := t.TempDir()
	h.mountSmall(dir, "1m")
	path := filepath.Join(dir, "out.log")
	remount := func(flags uintptr) {
		t.Helper()
		h.until("nobody writes to the disk", hang, func() bool { return syscall.Mount("", dir, "", syscall.MS_REMOUNT|flags, "") == nil })
	}
	h.must("start", progBin, "--name", "talker", "-o", path, "-e", "/dev/null", "--", "printer", "0", "10")
	began := func(times int) bool {
		text, err := os.ReadFile(path)
		return err == nil && strings.Count(string(text), "out 1\n") == times
	}
	h.until("the log has begun", hang, func() bool { return began(1) })
	h.must("stop", "talker")
	remount(syscall.MS_RDONLY)
	h.must("start", "talker")
	h.until("the list says that it cannot be written", hang, func() bool { return strings.Contains(h.status("talker").LogTrouble, "read-only") })
	remount(0)
	h.until("it is written again", hang, func() bool { return h.status("talker").LogTrouble == "" && began(2) })
	h.must("stop", "talker")
}

var lossMark = regexp.MustCompile(`\n\[gpm: (\d+) bytes lost here: [^\n]*\]\n`)

// checkLoss says whether the bytes of a printer's log and those that it says are missing make up what was printed.
func (h *home) checkLoss(path string) {
	h.t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		h.t.Fatal(err)
	}
	marks := lossMark.FindAllStringSubmatch(string(text), -1)
	have := len(lossMark.ReplaceAllString(string(text), ""))
	lost := 0
	for _, m := range marks {
		n, _ := strconv.Atoi(m[1])
		lost += n
	}
	all := lines(strings.TrimSpace(string(text)))
	var last int
	if _, err := fmt.Sscanf(all[len(all)-1], "out %d", &last); err != nil {
		h.t.Fatalf("the last line is %q", all[len(all)-1])
	}
	printed := 0
	for i := 1; i <= last; i++ {
		printed += len(fmt.Sprintf("out %d\n", i))
	}
	if len(marks) == 0 || have+lost != printed {
		h.t.Errorf("%d bytes and %d lost in %d places, of %d", have, lost, len(marks), printed)
	}
}

// TestLogDirectoryRemoved: it is made again, and the log goes on in it.
func TestLogDirectoryRemoved(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	dir := filepath.Join(h.cwd, "deep", "logs")
	path := filepath.Join(dir, "out.log")
	h.must("start", progBin, "--name", "talker", "-o", path, "-e", "/dev/null", "--", "printer", "0", "1000")
	grown := func() bool { st, err := os.Stat(path); return err == nil && st.Size() > 100 }
	h.until("there is a log", hang, grown)
	if err := os.RemoveAll(filepath.Dir(dir)); err != nil {
		t.Fatal(err)
	}
	h.until("there is one again", hang, grown)
	if st := h.status("talker"); st.LogTrouble != "" || st.Restarts != 0 {
		t.Errorf("%+v", st)
	}
}

// TestEndlessLine: a line without an end costs the daemon no memory, on neither path, and stays whole.
func TestEndlessLine(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	size := scaled(32, 1024) << 20
	before := 0
	for _, c := range []struct {
		name    string
		options []string
	}{{"raw", nil}, {"framed", []string{"--log-redact", "secret"}}} {
		command := fmt.Sprintf("sh -c 'head -c %d /dev/zero | tr \"\\\\000\" x; echo secret'", size)
		h.must(append([]string{"start", command, "--name", c.name, "--no-autorestart", "--no-log-rotate"}, c.options...)...)
		h.until("it has ended", hang+time.Duration(size>>20)*time.Second/4, func() bool { return h.status(c.name).State == app.Stopped })
		path := filepath.Join(h.dir, "logs", c.name+"-out.log")
		st, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		cuts := 0
		if c.name == "framed" { // each piece but the last has a mark and an end of its own
			cuts = size / (1 << 20)
		}
		want := int64(size + len("secret\n") + cuts*len(" [gpm: the line goes on]\n"))
		if c.name == "framed" {
			want += int64(len("[redacted]") - len("secret"))
		}
		if st.Size() != want {
			t.Errorf("%s: %d bytes, want %d", c.name, st.Size(), want)
		}
		if peak := peakMemory(t, h.daemon().PID); before > 0 && peak-before > 16<<10 {
			t.Errorf("the daemon grew from %d to %d kB", before, peak)
		} else if before == 0 {
			before = peak
		}
		if out := h.must("logs", c.name, "--nostream", "--lines", "2", "--raw"); !strings.Contains(out, "x") {
			t.Errorf("%s: gpm logs prints %.100q", c.name, out)
		}
	}
	t.Logf("peak memory of the daemon: %d kB, then %d kB", before, peakMemory(t, h.daemon().PID))
}

// peakMemory is the largest resident size of a process so far, in kB.
func peakMemory(t *testing.T, pid int) int {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range lines(string(text)) {
		var kb int
		if _, err := fmt.Sscanf(line, "VmHWM: %d kB", &kb); err == nil {
			return kb
		}
	}
	t.Fatal("no VmHWM")
	return 0
}

// TestSlowLogReader: who asks for everything gets it, however slowly it reads, and costs the daemon no memory.
func TestSlowLogReader(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	n := scaled(200_000, 5_000_000)
	h.must("start", progBin, "--name", "flood", "--no-autorestart", "--no-log-rotate", "--", "printer", strconv.Itoa(n), "0")
	h.until("it has ended", hang+time.Duration(n/10)*time.Microsecond*200, func() bool { return h.status("flood").State == app.Stopped })
	before := peakMemory(t, h.daemon().PID)
	f := h.follow("logs", "flood", "--json", "--lines", "-1", "--out")
	want := 1
	f.until(t, "the last line", func(line string) bool {
		if want == 100 {
			settle(t, time.Second) // a pager at its first page
		}
		var l struct{ Message string }
		if err := json.Unmarshal([]byte(line), &l); err != nil || l.Message != fmt.Sprint("out ", want) {
			t.Fatalf("%q comes where line %d should, %v", line, want, err)
		}
		want++
		return want > n
	})
	if peak := peakMemory(t, h.daemon().PID); peak-before > 16<<10 {
		t.Errorf("the daemon grew from %d to %d kB", before, peak)
	}
}
