//go:build linux

package e2e

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gpm/app"
)

// refused runs a command that must fail with one sentence that holds the words, and one hint.
func (h *home) refused(words string, args ...string) {
	h.t.Helper()
	r := h.run(args...)
	h.checkRefusal(r, words, args)
}

func (h *home) checkRefusal(r result, words string, args []string) {
	h.t.Helper()
	var sentences, hints []string
	for _, line := range lines(r.err) {
		switch {
		case strings.HasPrefix(line, "[gpm][ERROR] "):
			sentences = append(sentences, line)
		case strings.HasPrefix(line, "[gpm][INFO] "):
			hints = append(hints, line)
		case strings.HasPrefix(line, "[gpm] "): // that a daemon is being started
		default:
			h.t.Errorf("gpm %.80q says %.200q, which is neither a sentence nor a hint", args, line)
		}
	}
	if r.code != 1 || len(sentences) != 1 || len(hints) != 1 || !strings.Contains(r.err, words) || len(r.err) > 2000 {
		h.t.Errorf("gpm %.80q: exit %d, want 1 with one sentence that says %q and one hint:\n%.2000s", args, r.code, words, r.err)
	}
}

// badStarts are starts that cannot work; BIG stands for ten megabytes.
var badStarts = []struct {
	words string
	args  []string
}{
	{"no such file in", []string{"missing.js"}},
	{`missing" does not exist`, []string{"./missing"}},
	{"no such file in", []string{"missing"}},
	{"no such file in", []string{"missing", "--interpreter", "none"}},
	{"is a directory", []string{"."}},
	{"is a directory", []string{"/tmp"}},
	{"is not a regular file", []string{"/dev/null"}},
	{"is not executable", []string{"./binary"}},
	{"is not executable", []string{"./script", "--interpreter", "none"}},
	{"neither an extension that gpm knows nor a #! line", []string{"./text"}},
	{"is empty", []string{"./empty"}},
	{`interpreter in its first line "/no/such/sh" does not exist`, []string{"./badbang"}},
	{"carriage return", []string{"./windows"}},
	{`interpreter "nosuch" is not on PATH`, []string{"./script", "--interpreter", "nosuch"}},
	{`"/no/such" does not exist`, []string{"./script", "--interpreter", "/no/such"}},
	{`working directory "/no/such" does not exist`, []string{progBinary, "--cwd", "/no/such"}},
	{"is not a directory", []string{progBinary, "--cwd", "/dev/null"}},
	{`no user "nosuch"`, []string{progBinary, "--uid", "nosuch"}},
	{`no group "nosuch"`, []string{progBinary, "--gid", "nosuch"}},
	{`"SIGFOO" is no signal`, []string{progBinary, "--kill-signal", "foo"}},
	{`cannot use --kill-timeout "soon"`, []string{progBinary, "--kill-timeout", "soon"}},
	{`cannot use --kill-timeout "-1"`, []string{progBinary, "--kill-timeout", "-1"}},
	{`cannot use --restart-delay "1 h"`, []string{progBinary, "--restart-delay", "1 h"}},
	{`cannot use --min-uptime "NaN"`, []string{progBinary, "--min-uptime", "NaN"}},
	{`cannot use --max-restarts "many"`, []string{progBinary, "--max-restarts", "many"}},
	{`cannot use --stop-exit-codes "256"`, []string{progBinary, "--stop-exit-codes", "256"}},
	{`cannot use --instances "lots"`, []string{progBinary, "-i", "lots"}},
	{`cannot use --env "NOVALUE"`, []string{progBinary, "--env", "NOVALUE"}},
	{`cannot use --nice "20"`, []string{progBinary, "--nice", "20"}},
	{`cannot use --cpu "x"`, []string{progBinary, "--cpu", "x"}},
	{"no resource", []string{progBinary, "--rlimit", "nosuch=1"}},
	{"unknown option --nosuch", []string{progBinary, "--nosuch"}},
	{`name "all" means every process`, []string{progBinary, "--name", "all"}},
	{"cannot be printed", []string{progBinary, "--name", "a\x1b[31m"}},
	{"its name has", []string{progBinary, "--name", strings.Repeat("n", 200)}},
	{`running already as "srv"`, []string{progBinary, "--name", "srv"}},
	{"missing.js", []string{"srv", progBinary, "missing.js"}}, // one of several
	{"no process has this id", []string{"77"}},
	{"no script, program or name", nil},
}

// progBinary stands for the path of prog.
const progBinary = "PROG"

// TestBadStarts: each is refused in one sentence, and nothing has changed after all of them.
func TestBadStarts(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	h.write("binary", "\x7fELF\x00\x00", 0o644)
	h.write("script", "#!/bin/sh\n", 0o644)
	h.write("text", "hello\n", 0o755)
	h.write("empty", "", 0o755)
	h.write("badbang", "#!/no/such/sh\n", 0o755)
	h.write("windows", "#!/bin/sh\r\necho\r\n", 0o755)
	h.must("start", progBin, "--name", "srv", "--", "sleep")
	before := h.status("srv").PID
	for _, c := range badStarts {
		args := []string{"start"}
		for _, arg := range c.args {
			args = append(args, strings.Replace(arg, progBinary, progBin, 1))
		}
		h.refused(c.words, args...)
	}
	if list := h.list(); len(list) != 1 || list[0].PID != before || list[0].Restarts != 0 {
		t.Errorf("after nothing but refusals the list is %+v", list)
	}
}

// TestBadSelectors: an unknown name, id or expression is said, by every command that takes one.
func TestBadSelectors(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	h.must("start", progBin, "--name", "srv", "--", "sleep")
	before := h.status("srv").PID
	for _, command := range []string{"stop", "restart", "delete", "reset", "why"} {
		h.refused("nosuch", command, "nosuch")
		h.refused("99", command, "99")
	}
	h.fails("nosuch doesn't exist", "describe", "nosuch") // pm2's words
	h.refused("nosuch", "logs", "nosuch", "--nostream", "-s")
	for _, command := range []string{"stop", "restart", "delete", "reset"} {
		h.refused("/no.such/", command, "/no.such/")
		h.refused("/[/", command, "/[/")
		h.refused("missing required argument", command)
		h.refused("nosuch", command, "srv", "nosuch")
	}
	h.refused("SIGNOSUCH", "sendSignal", "NOSUCH", "srv")
	h.refused("no such command", "strat")
	h.refused("no such command", "daemon", "strat")
	if st := h.status("srv"); st.PID != before || st.Restarts != 0 {
		t.Errorf("after nothing but refusals it is %+v", st)
	}
	h.refused("bad", "restart", "srv", "--cwd", "/no/such/bad")
	if st := h.status("srv"); st.PID != before {
		t.Error("a refused restart has restarted it all the same")
	}
}

// TestTenMegabytes of arguments or environment are refused before anything happens.
func TestTenMegabytes(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	h.must("ping")
	// The kernel passes on no more than a quarter of the stack's limit, at most 6 MB.
	long := strings.Repeat("x", 100_000)
	h.write("type", "#!/bin/bash\nulimit -s unlimited\nargs=()\nfor ((i = 0; i < 50; i++)); do args+=("+long+"); done\n"+
		"exec "+gpmBin+" start "+progBin+" -- \"${args[@]}\"\n", 0o755)
	typed := h.command()
	typed.Path, typed.Args = filepath.Join(h.cwd, "type"), []string{"type"}
	h.checkRefusal(h.finish(typed), "more than a program can be given", []string{"start", "5 MB"})
	h.checkStatus("POST", "/v1/start", `{"targets":["`+progBin+`"],"spec":{"cwd":"/","args":["`+strings.Repeat("x", 10<<20)+`"]},"set":{"args":true}}`,
		http.StatusBadRequest)
	for i := range 15 {
		h.env = append(h.env, fmt.Sprintf("BIG%d=%s", i, long))
	}
	h.must("start", progBin, "--name", "large", "--no-autorestart", "--", "env")
	if st := h.untilState("large", app.Stopped); st.Exit.Code != 0 || len(h.outLog("large")) < 15*len(long) {
		t.Errorf("a large environment did not arrive: %s, %d bytes", st.Exit, len(h.outLog("large")))
	}
	if n := len(h.list()); n != 1 {
		t.Errorf("%d processes are listed, want 1", n)
	}
}

// TestNotStartedByRoot: what only root may do is refused to others, or fails as a state with its reason.
func TestNotStartedByRoot(t *testing.T) {
	t.Parallel()
	h := newHomeOf(t, nobody(t))
	h.refused("only root can run it as user root", "start", progBin, "--name", "user", "--uid", "root", "--", "sleep")
	secret := filepath.Join(filepath.Dir(h.dir), "secret")
	if err := os.Mkdir(secret, 0o700); err != nil {
		t.Fatal(err)
	}
	h.refused("permission denied", "start", filepath.Join(secret, "script.sh"))
	h.fails("permission denied", "start", progBin, "--name", "nice", "--nice", "-5", "--", "sleep")
	if st := h.status("nice"); st.State != app.Errored || st.Exit == nil || !strings.Contains(st.Exit.SpawnError, "nice") {
		t.Errorf("it is %s, %+v", st.State, st.Exit)
	}
	h.must("start", progBin, "--name", "server", "--env", "PORT=0", "--", "http")
	if st := h.status("server"); st.User != "nobody" {
		t.Errorf("it runs as %q", st.User)
	}
}

// TestRunAs: as root, an app may be another user's, with that user's home and groups.
func TestRunAs(t *testing.T) {
	t.Parallel()
	nobody(t)
	h := newHome(t)
	h.must("start", progBin, "--name", "user", "--uid", "nobody", "--no-autorestart", "--cwd", "/", "--", "env")
	h.must("start", progBin, "--name", "numbers", "--uid", "1234", "--gid", "4321", "--no-autorestart", "--cwd", "/", "--", "env")
	h.must("start", progBin, "--name", "group", "--gid", "4321", "--no-autorestart", "--", "env")
	for name, want := range map[string][2]int{"user": {65534, 65534}, "numbers": {1234, 4321}, "group": {0, 4321}} {
		if g := h.given(name); g.UID != want[0] || g.GID != want[1] {
			t.Errorf("%s runs as %d:%d, want %v", name, g.UID, g.GID, want)
		}
	}
	if got := h.given("user").Env["HOME"]; got != "/nonexistent" {
		t.Errorf("HOME of nobody is %q", got)
	}
	if st := h.status("user"); st.User != "nobody" {
		t.Errorf("the list says that it runs as %q", st.User)
	}
}

// TestLimits: priority, resource limits and CPUs hold from the first instruction on.
func TestLimits(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	h.write("limits", "#!/bin/sh\nulimit -S -n; ulimit -H -n; ulimit -c; nice; grep Cpus_allowed_list /proc/self/status\n", 0o755)
	h.must("start", "./limits", "--no-autorestart", "--rlimit", "nofile=333:444", "--rlimit", "core=0", "--nice", "7", "--cpu", "0")
	h.untilState("limits", app.Stopped)
	want := "333\n444\n0\n7\nCpus_allowed_list:\t0\n"
	h.until("the limits are printed", hang, func() bool { return strings.Count(h.outLog("limits"), "\n") >= 5 })
	if got := h.outLog("limits"); got != want {
		t.Errorf("limits are %q, want %q", got, want)
	}
}
