package deploy

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"gpm/app"
)

// world is a developer's copy, the repository it pushes to and a server's folder.
type world struct {
	t                  *testing.T
	local, repo, place string
	target             Target
}

func newWorld(t *testing.T) *world {
	t.Helper()
	for _, program := range []string{"git", "sh"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skip(program, " is not installed")
		}
	}
	dir := t.TempDir()
	for k, v := range map[string]string{
		"HOME": dir, "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.DevNull,
		"GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@b", "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@b",
	} {
		t.Setenv(k, v)
	}
	w := &world{t: t, local: filepath.Join(dir, "local"), repo: filepath.Join(dir, "re'po.git"), place: filepath.Join(dir, "the place")}
	w.git(dir, "init", "-q", "--bare", "-b", "main", w.repo)
	w.git(dir, "clone", "-q", w.repo, w.local)
	w.git(w.local, "checkout", "-q", "-b", "main")
	w.commit("one")
	w.target = Target{Name: "production", Hosts: []string{"localhost"}, Ref: "origin/main", Repo: w.repo, Path: w.place}
	return w
}

func (w *world) git(dir string, args ...string) string {
	w.t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		w.t.Fatalf("git %v: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

// commit makes and pushes a version, and returns its name.
func (w *world) commit(text string) string {
	w.t.Helper()
	if err := os.WriteFile(filepath.Join(w.local, "v.txt"), []byte(text), 0o644); err != nil {
		w.t.Fatal(err)
	}
	w.git(w.local, "add", ".")
	w.git(w.local, "commit", "-q", "-m", text)
	w.git(w.local, "push", "-q", "-u", "origin", "main")
	return w.git(w.local, "rev-parse", "HEAD")
}

// do runs a command and returns its output.
func (w *world) do(words ...string) (string, error) {
	w.t.Helper()
	c, err := ParseCommand(words)
	if err != nil {
		return "", err
	}
	steps, err := Plan(w.target, c)
	if err != nil {
		return "", err
	}
	var out bytes.Buffer
	err = Runner{Dir: w.local, Stdout: &out, Stderr: &out}.Run(w.t.Context(), steps)
	return strings.TrimSpace(out.String()), err
}

func (w *world) must(words ...string) string {
	w.t.Helper()
	out, err := w.do(words...)
	if err != nil {
		w.t.Fatalf("%v: %v\n%s", words, err, out)
	}
	return out
}

func (w *world) fails(want string, words ...string) {
	w.t.Helper()
	if out, err := w.do(words...); err == nil || !strings.Contains(out+err.Error(), want) {
		w.t.Errorf("%v: error %v\n%s\nwant %q", words, err, out, want)
	}
}

// shows checks the version in current.
func (w *world) shows(want string) {
	w.t.Helper()
	if text, err := os.ReadFile(filepath.Join(w.place, "current", "v.txt")); string(text) != want {
		w.t.Errorf("current shows %q, error %v, want %q", text, err, want)
	}
}

func TestDeployments(t *testing.T) {
	w := newWorld(t)
	w.fails("run setup first", "update")
	w.target.PreSetup, w.target.PostSetup = "echo before", "pwd"
	if out := w.must("setup"); !strings.HasPrefix(out, "before") || !strings.Contains(out, filepath.Join("the place", "source")) {
		t.Errorf("setup says %q", out)
	}
	w.fails("exists already", "setup")
	for _, dir := range []string{"shared/logs", "shared/pids", "source/.git"} {
		if info, err := os.Stat(filepath.Join(w.place, dir)); err != nil || !info.IsDir() {
			t.Errorf("%s: %v", dir, err)
		}
	}
	w.fails("nothing was deployed yet", "current")

	one := w.git(w.local, "rev-parse", "HEAD")
	w.target.Env = map[string]string{"WHO": "it's me; $HOME"}
	w.target.PreDeployLocal = "echo local in $(basename $PWD)"
	w.target.PreDeploy = "cat v.txt; cd /"
	w.target.PostDeploy = "echo; echo $WHO; basename \"$SHARED\"; cat v.txt"
	w.must()
	two := w.commit("two")
	if got, want := w.must("update"), "local in local\none\nit's me; $HOME\nshared\ntwo"; got != want {
		t.Errorf("update says %q, want %q", got, want)
	}
	w.shows("two")
	if got := w.must("current"); got != two {
		t.Errorf("current is %q, want %q", got, two)
	}
	if got := w.must("previous"); got != one {
		t.Errorf("previous is %q, want %q", got, one)
	}
	if got, want := w.must("list"), "1:"+one+"\n2:"+two; got != want {
		t.Errorf("the list is %q, want %q", got, want)
	}
	w.must("revert")
	w.shows("one")
	w.fails("not that many deployments", "revert", "9")
	w.must("ref", "main")
	w.shows("two")
	w.must("ref", one[:10])
	w.shows("one")
	w.fails("there is no nosuch", "ref", "nosuch")
	if got := w.must("exec", "basename", `"$PWD";`, "cat", "v.txt"); got != "current\none" {
		t.Errorf("exec says %q", got)
	}
	w.fails("exit status 7", "run", "exit 7")
}

func TestUnpublishedWork(t *testing.T) {
	w := newWorld(t)
	w.must("setup")
	os.WriteFile(filepath.Join(w.local, "v.txt"), []byte("dirty"), 0o644)
	w.fails("not committed", "update")
	w.git(w.local, "commit", "-q", "-a", "-m", "x")
	w.fails("not pushed", "update")
	w.must("update", "--force")
	w.shows("one")
}

func TestFailingHookEndsIt(t *testing.T) {
	w := newWorld(t)
	w.target.Hosts = []string{"localhost", "127.0.0.1"}
	w.target.Path = filepath.Join(w.place, "a")
	w.target.PostSetup = "echo ran; exit 3"
	out, err := w.do("setup")
	if err == nil || !strings.Contains(err.Error(), "cannot setup on localhost: exit status 3") || strings.Count(out, "ran") != 1 {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestShallow: "fast" fetches a few commits, and a later deployment still works.
func TestShallow(t *testing.T) {
	w := newWorld(t)
	for range 8 {
		w.commit(t.Name() + w.git(w.local, "rev-parse", "HEAD"))
	}
	w.target.Shallow = true
	w.target.Repo = "file://" + w.repo
	w.must("setup")
	w.commit("last")
	w.must("update")
	w.shows("last")
	if n := w.git(filepath.Join(w.place, "source"), "rev-list", "--count", "HEAD"); n != "5" && n != "6" {
		t.Errorf("%s commits were fetched", n)
	}
}

// TestSSH runs the steps through a program named ssh, which notes its arguments and
// does what a server's login shell does with the last.
func TestSSH(t *testing.T) {
	w := newWorld(t)
	bin := t.TempDir()
	script := "#!/bin/sh\nfor a; do last=$a; done\necho \"$*\" | head -n 1 | cut -c1-80 >> " + filepath.Join(bin, "calls") + "\nexec sh -c \"$last\"\n"
	if err := os.WriteFile(filepath.Join(bin, "ssh"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin+string(filepath.ListSeparator)+os.Getenv("PATH"))
	w.target.Hosts = []string{"one.example", "two.example"}
	w.target.Path = "~/srv/it's"
	w.target.User, w.target.Key, w.target.Port, w.target.ForwardAgent = "deploy", "/k", "2222", true
	w.target.SSHOptions = []string{"StrictHostKeyChecking=no"}
	w.fails("exists already", "setup") // both hosts are the same machine here
	w.must("update")
	calls, err := os.ReadFile(filepath.Join(bin, "calls"))
	if err != nil {
		t.Fatal(err)
	}
	line := "-p 2222 -i /k -A -o StrictHostKeyChecking=no -- deploy@%.example sh -c 'set -e\n"
	want := strings.Repeat(strings.ReplaceAll(line, "%", "one")+strings.ReplaceAll(line, "%", "two"), 2)
	if string(calls) != want {
		t.Errorf("ssh was called\n%s\nwant\n%s", calls, want)
	}
	if text, err := os.ReadFile(filepath.Join(os.Getenv("HOME"), "srv", "it's", "current", "v.txt")); string(text) != "one" {
		t.Errorf("the server shows %q, error %v", text, err)
	}
}

func TestRunEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	began := make(chan struct{})
	r := Runner{Begin: func(Step) { close(began) }}
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx, []Step{{Title: "wait", Script: "exec sleep 600"}}) }()
	<-began
	cancel()
	if err := <-ended; err == nil {
		t.Error("no error")
	}
}

func TestParseTarget(t *testing.T) {
	good := map[string]any{
		"user": "u", "host": []any{"a", "b"}, "port": 22, "ref": "main", "repo": "r", "path": "/p/", "forward-agent": true, "ssh_options": "X=y",
		"fetch": "fast", "post-deploy": "npm i", "pre-deploy": []any{"a", "b"}, "env": map[string]any{"N": 1},
	}
	got, err := ParseTarget("p", good)
	if err != nil || len(got.Hosts) != 2 || got.Port != "22" || got.Path != "/p" || !got.ForwardAgent || !got.Shallow || got.PreDeploy != "a && b" || got.Env["N"] != "1" || got.SSHOptions[0] != "X=y" {
		t.Errorf("%+v, error %v", got, err)
	}
	for name, change := range map[string]any{
		"host": nil, "repo": "", "path": map[string]any{}, "ref": "-x", "user": "-oProxyCommand=x", "port": "-1",
		"forward-agent": "yes", "ssh_options": []any{1}, "env": map[string]any{"A;B": 1},
	} {
		bad := map[string]any{}
		for k, v := range good {
			bad[k] = v
		}
		bad[name] = change
		if _, err := ParseTarget("p", bad); !errors.Is(err, app.ErrInvalid) {
			t.Errorf("%s = %v: error %v", name, change, err)
		}
	}
	bad := map[string]any{"host": "-oProxyCommand=touch x", "repo": "r", "path": "p", "ref": "m"}
	if _, err := ParseTarget("p", bad); !errors.Is(err, app.ErrInvalid) {
		t.Errorf("a host that is an option: %v", err)
	}
}

func TestParseCommand(t *testing.T) {
	for in, want := range map[string]Command{
		"":              {Verb: Update},
		"update":        {Verb: Update},
		"setup":         {Verb: Setup},
		"revert":        {Verb: Revert, Arg: "1"},
		"revert 3":      {Verb: Revert, Arg: "3"},
		"run ls -l":     {Verb: Exec, Arg: "ls -l"},
		"ref v1":        {Verb: Ref, Arg: "v1"},
		"--force":       {Verb: Update, Force: true},
		"ref x --force": {Verb: Ref, Arg: "x", Force: true},
	} {
		if got, err := ParseCommand(strings.Fields(in)); err != nil || got != want {
			t.Errorf("%q is %+v, error %v", in, got, err)
		}
	}
	for _, in := range []string{"fly", "revert 0", "revert x", "ref", "exec", "setup now", "ref -x"} {
		if got, err := ParseCommand(strings.Fields(in)); !errors.Is(err, app.ErrInvalid) {
			t.Errorf("%q is %+v, error %v", in, got, err)
		}
	}
}

func FuzzQuote(f *testing.F) {
	f.Add("it's; $(x)")
	f.Fuzz(func(t *testing.T, s string) {
		if strings.Contains(s, "\x00") || len(s) > 1000 {
			return
		}
		out, err := exec.Command("sh", "-c", "printf %s "+quote(s)).Output()
		if err != nil || string(out) != s {
			t.Errorf("%q comes back as %q, error %v", s, out, err)
		}
	})
}
