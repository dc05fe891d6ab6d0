//go:build linux

package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"gpm/app"
)

// given is what `prog env` prints about itself.
type given struct {
	PID  int               `json:"pid"`
	UID  int               `json:"uid"`
	GID  int               `json:"gid"`
	Args []string          `json:"args"`
	Cwd  string            `json:"cwd"`
	Env  map[string]string `json:"env"`
}

// given waits for the output of prog env and reads its last line.
func (h *home) given(name string) given {
	h.t.Helper()
	var g given
	h.until(name+" has printed what it was given", hang, func() bool {
		all := lines(h.outLog(name))
		return len(all) > 0 && json.Unmarshal([]byte(all[len(all)-1]), &g) == nil
	})
	return g
}

// TestServers: a Node, a Python and a Go server, and a shell script with children, live through
// restart, stop and start, and are measured.
func TestServers(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	ports := h.servers()
	h.must("start", script(t, "children.sh"), "--kill-timeout", "300")
	before := pids(h.list(), "node", "python", "go", "children")
	h.must("restart", "all")
	for name, pid := range pids(h.list(), "node", "python", "go", "children") {
		if pid == before[name] || pid == 0 {
			t.Errorf("%s has pid %d after a restart, and had %d", name, pid, before[name])
		}
	}
	for name, port := range ports {
		h.until(name+" answers", hang, func() bool { return get(t.Context(), port) == nil })
		if st := h.status(name); st.Restarts != 1 || st.State != app.Online {
			t.Errorf("%s is %s with %d restarts", name, st.State, st.Restarts)
		}
	}
	h.untilFamily(h.status("children").ID, 4)
	h.checkFigures("node", "python", "go", "children")
	h.must("stop", "node", "python", "go")
	for name, port := range ports {
		if get(t.Context(), port) == nil {
			t.Errorf("%s answers although it is stopped", name)
		}
	}
	h.must("start", "node")
	h.until("node answers", hang, func() bool { return get(t.Context(), ports["node"]) == nil })
}

// checkFigures: what a tree consumes is that of all its processes.
func (h *home) checkFigures(names ...string) {
	h.t.Helper()
	for _, name := range names {
		d := decode[[]app.Detail](h, "describe", name, "--json")[0]
		u := d.Usage
		if u == nil || u.RSS < 1<<20 || u.PSS == 0 || u.Heap == 0 || u.Threads == 0 || u.Files < 3 {
			h.t.Errorf("%s: strange figures %+v", name, u)
		} else if name == "children" && u.Processes != 4 {
			h.t.Errorf("%s: figures of %d processes, want 4", name, u.Processes)
		}
	}
}

// forms are ways to say what to start; each ends in `prog env`.
var forms = []struct {
	name  string
	args  []string // of start, without the name
	given []string // arguments of prog
}{
	{"js", []string{"form.js", "--", "a b", "--name"}, []string{"a b", "--name"}},
	{"python", []string{"form.py"}, nil},
	{"shell", []string{"./form.sh", "--", "x"}, []string{"x"}},
	{"shebang", []string{"./shebang", "--", "x"}, []string{"x"}},
	{"unexecutable", []string{"unexecutable", "--", "x"}, []string{"x"}},
	{"line", []string{"./prog env one 'two words' && true"}, []string{"one", "two words"}},
	{"path", []string{"prog", "--", "env", "-v", "--", "x"}, []string{"-v", "--", "x"}},
	{"absolute", []string{progPath, "--", "env"}, nil},
	{"interpreter", []string{"text", "--interpreter", "sh", "--interpreter-args", "-e -u", "--", "x"}, []string{"x"}},
	{"link", []string{"link", "--", "env", ""}, []string{""}},
}

// progPath stands for the path of prog, which is known only once it is built.
const progPath = "PROG"

func (h *home) writeForms() {
	sh := "exec " + progBin + " env \"$@\"\n"
	h.write("form.sh", sh, 0o644)
	h.write("text", sh, 0o644)
	h.write("shebang", "#!/bin/sh\n"+sh, 0o755)
	h.write("unexecutable", "#!/usr/bin/env sh\n"+sh, 0o644)
	h.write("form.js", "require('child_process').execFileSync('"+progBin+"', ['env', ...process.argv.slice(2)], {stdio: 'inherit'})\n", 0o644)
	h.write("form.py", "import os\nos.execv('"+progBin+"', ['"+progBin+"', 'env'])\n", 0o644)
	for _, name := range []string{"prog", "link"} {
		if err := os.Symlink(progBin, filepath.Join(h.cwd, name)); err != nil {
			h.t.Fatal(err)
		}
	}
}

// TestStartForms: a script by its extension or first line, a command line, a program, with arguments.
func TestStartForms(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	h.writeForms()
	h.env = []string{"PATH=" + os.Getenv("PATH") + ":" + filepath.Dir(progBin), "FROM_SHELL=yes"}
	for _, f := range forms {
		args := slices.Clone(f.args)
		if args[0] == progPath {
			args[0] = progBin
		}
		h.must(append([]string{"start", "--name", f.name, "--no-autorestart"}, args...)...)
	}
	for _, f := range forms {
		g := h.given(f.name)
		if got := g.Args[2:]; !slices.Equal(got, f.given) {
			t.Errorf("%s: arguments %q, want %q", f.name, got, f.given)
		}
		if g.Cwd != h.cwd || g.Env["FROM_SHELL"] != "yes" {
			t.Errorf("%s: runs in %s, with FROM_SHELL=%q", f.name, g.Cwd, g.Env["FROM_SHELL"])
		}
		h.untilState(f.name, app.Stopped)
	}
}

// TestStartOptions: where it runs, in which environment, how often, and whether at all.
func TestStartOptions(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	elsewhere := filepath.Join(h.cwd, "else where")
	if err := os.Mkdir(elsewhere, 0o755); err != nil {
		t.Fatal(err)
	}
	h.env = []string{"HIDDEN_SECRET=1", "SHOWN=shell"}
	h.must("start", progBin, "--name", "env", "--no-autorestart", "--cwd", elsewhere, "--env", "A=b=c", "--env", "SHOWN=option",
		"--filter-env", "HIDDEN", "--", "env")
	g := h.given("env")
	if _, leaked := g.Env["HIDDEN_SECRET"]; leaked || g.Cwd != elsewhere || g.Env["A"] != "b=c" || g.Env["SHOWN"] != "option" {
		t.Errorf("in %s, A=%q, SHOWN=%q, hidden: %v", g.Cwd, g.Env["A"], g.Env["SHOWN"], !leaked)
	}
	h.must("start", progBin, "--name", "three", "--namespace", "many", "-i", "3", "--", "sleep")
	if got := h.instances("three"); len(got) != 3 || len(pids(got, "three")) != 3 || got[2].Slot != 2 || got[0].Namespace != "many" {
		t.Errorf("three instances are %+v", got)
	}
	h.must("start", progBin, "--name", "later", "--no-autostart", "--", "sleep")
	if st := h.status("later"); st.State != app.Stopped || st.PID != 0 {
		t.Errorf("--no-autostart left it %s", st.State)
	}
	h.must("start", "later")
	h.untilState("later", app.Online)
	h.checkPidFile("later")
}

func (h *home) checkPidFile(name string) {
	h.t.Helper()
	d := decode[[]app.Detail](h, "describe", name, "--json")[0]
	b, err := os.ReadFile(d.PidFile)
	if err != nil || strings.TrimSpace(string(b)) != strconv.Itoa(d.PID) {
		h.t.Errorf("the pid file of %s holds %q, %v; its pid is %d", name, b, err, d.PID)
	}
	if out := strings.TrimSpace(h.must("pid", name)); out != strconv.Itoa(d.PID) {
		h.t.Errorf("gpm pid %s prints %q, want %d", name, out, d.PID)
	}
}

// TestSelectors: id, name, namespace, all, /regex/, several, and a script's path.
func TestSelectors(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	h.must("start", progBin, "--name", "web-a", "--namespace", "web", "--", "sleep")
	h.must("start", progBin, "--name", "web-b", "--namespace", "web", "-i", "2", "--", "sleep")
	h.must("start", progBin, "--name", "job", "--", "sleep")
	h.must("start", progBin, "--name", "1", "--", "sleep") // a name before an id
	for _, c := range []struct {
		args []string
		down string
	}{
		{[]string{"0"}, "[0]"}, {[]string{"web-b"}, "[1 2]"}, {[]string{"web"}, "[0 1 2]"}, {[]string{"all"}, "[0 1 2 3 4]"},
		{[]string{"/^web-/"}, "[0 1 2]"}, {[]string{"/b$/"}, "[1 2 3]"}, {[]string{"job", "web-a"}, "[0 3]"},
		{[]string{"1"}, "[4]"}, {[]string{"2", "2", "web-b"}, "[1 2]"}, {[]string{progBin}, "[0 1 2 3 4]"},
	} {
		h.must(append([]string{"stop"}, c.args...)...)
		if got := fmt.Sprint(stoppedIDs(h.list())); got != c.down {
			t.Errorf("stop %v stopped %s, want %s", c.args, got, c.down)
		}
		h.must("start", "all")
	}
	if got := h.must("id", "web-b"); got != "[ 1, 2 ]\n" {
		t.Errorf("gpm id prints %q", got)
	}
	h.fails("nope", "stop", "web-a", "nope")
	if got := stoppedIDs(h.list()); len(got) > 0 {
		t.Errorf("a stop with an unknown name stopped %v all the same", got)
	}
	h.must("delete", "web")
	if got := len(h.list()); got != 2 {
		t.Errorf("%d processes are left, want 2", got)
	}
}

func stoppedIDs(list []app.Status) []int {
	var ids []int
	for _, st := range list {
		if st.State == app.Stopped {
			ids = append(ids, st.ID)
		}
	}
	slices.Sort(ids)
	return ids
}

// TestRestartWithOptions changes what is stored; the environment only when asked to.
func TestRestartWithOptions(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	h.env = []string{"COLOUR=red"}
	h.must("start", progBin, "--name", "x", "--no-autorestart", "--stop-exit-codes", "0", "--", "env", "old")
	if g := h.given("x"); g.Env["COLOUR"] != "red" || g.Args[2] != "old" {
		t.Fatalf("started with %q, %q", g.Args, g.Env["COLOUR"])
	}
	h.env = []string{"COLOUR=blue"}
	for _, c := range []struct {
		args       []string
		arg, color string
	}{
		{[]string{"--", "env", "new"}, "new", "red"},
		{[]string{"--update-env"}, "new", "blue"},
		{[]string{"--env", "COLOUR=green"}, "new", "green"},
		{nil, "new", "green"},
	} {
		before := len(lines(h.outLog("x")))
		h.must(append([]string{"restart", "x"}, c.args...)...)
		h.until("it has printed again", hang, func() bool { return len(lines(h.outLog("x"))) > before })
		if g := h.given("x"); g.Args[2] != c.arg || g.Env["COLOUR"] != c.color {
			t.Errorf("restart %v: argument %q, colour %q; want %q, %q", c.args, g.Args[2], g.Env["COLOUR"], c.arg, c.color)
		}
	}
	h.must("restart", "x", "--name", "y", "--kill-timeout", "1234", "--max-restarts", "7", "--", "sleep")
	d := decode[[]app.Detail](h, "describe", "y", "--json")[0]
	if d.Spec.Policy.KillTimeout != 1234*time.Millisecond || d.Spec.Policy.MaxRestarts != 7 || len(h.instances("x")) > 0 {
		t.Errorf("renamed and changed: %+v", d.Spec)
	}
}
