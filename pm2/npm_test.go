package pm2

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"gpm/app"
)

// pm2Dir returns a directory with the real pm2 in node_modules, installed once for
// all runs. It is only ever run, never read.
func pm2Dir(t *testing.T) string {
	t.Helper()
	npm, err := exec.LookPath("npm")
	if err != nil {
		t.Skip("npm is not installed: the real pm2 cannot be had")
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Skip("there is no cache directory: ", err)
	}
	dir := filepath.Join(cache, "gpm-test", "pm2-7")
	if _, err := os.Stat(dir); err == nil {
		return dir
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		t.Fatal(err)
	}
	tmp, err := os.MkdirTemp(filepath.Dir(dir), "install-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(tmp)
	cmd := exec.CommandContext(t.Context(), npm, "install", "--prefix", tmp, "--no-audit", "--no-fund", "--ignore-scripts", "pm2@7")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("cannot install pm2: %v\n%s", err, out)
	}
	if err := os.Rename(tmp, dir); err != nil && !errors.Is(err, fs.ErrExist) {
		if _, err := os.Stat(dir); err != nil { // another run was not first either
			t.Fatal(err)
		}
	}
	return dir
}

// rig is a fake daemon that serves the sockets of a home.
type rig struct {
	*fake
	pm2, home string
}

func newRig(t *testing.T) *rig {
	t.Helper()
	dir := pm2Dir(t)
	home := shortDir(t)
	t.Cleanup(func() { noRealDaemon(t, home) })
	r := &rig{newFake(home), dir, home}
	ctx, cancel := context.WithCancel(t.Context())
	r.kill = cancel
	f := Locate(home, func(string) string { return "" })
	var served sync.WaitGroup
	t.Cleanup(func() { cancel(); served.Wait(); r.apps.Wait() })
	rpc := &Server{Backend: r.fake, View: r.view}
	served.Go(func() { rpc.Serve(ctx, listen(t, f.RPC)) })
	served.Go(func() { r.bus.Serve(ctx, listen(t, f.Pub)) })
	waitFor(t, "the sockets", func() bool { return exists(f.RPC) && exists(f.Pub) })
	return r
}

// shortDir is for sockets, whose paths may have 108 bytes.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "pm2h")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func listen(t *testing.T, path string) net.Listener {
	ln, err := net.Listen("unix", path)
	if err != nil {
		t.Error(err)
	}
	return ln
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func waitFor(t *testing.T, what string, done func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(20 * time.Second); !done(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// noRealDaemon fails the test when a client did not accept ours and started pm2's.
func noRealDaemon(t *testing.T, home string) {
	text, err := os.ReadFile(filepath.Join(home, "pm2.pid"))
	if err != nil {
		return
	}
	t.Errorf("a client started the real pm2")
	if pid, err := strconv.Atoi(strings.TrimSpace(string(text))); err == nil {
		if p, err := os.FindProcess(pid); err == nil {
			p.Kill()
		}
	}
}

// run runs a program with nothing in its environment but what the clients need.
func (r *rig) run(t *testing.T, name string, arg ...string) (stdout, stderr string, code int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, arg...)
	cmd.Dir = filepath.Join(".", "testdata")
	cmd.Env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + r.home, "PM2_HOME=" + r.home, "NODE_PATH=" + filepath.Join(r.pm2, "node_modules"),
		"PM2_DISCRETE_MODE=1", "PM2_DISABLE_VERSION_CHECK=1", "PM2_NO_INTERACTION=1",
	}
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	if ctx.Err() != nil {
		t.Fatalf("%s %v hangs\n%s%s", name, arg, &out, &errs)
	}
	if _, ok := errors.AsType[*exec.ExitError](err); err != nil && !ok {
		t.Fatal(err)
	}
	return plain(out.String()), plain(errs.String()), cmd.ProcessState.ExitCode()
}

// plain drops the colours.
func plain(s string) string {
	return regexp.MustCompile("\x1b\\[[0-9;]*m").ReplaceAllString(s, "")
}

// cli runs pm2's own command line and wants its exit code and all texts.
func (r *rig) cli(t *testing.T, code int, line string, texts ...string) string {
	t.Helper()
	out, errs, got := r.run(t, filepath.Join(r.pm2, "node_modules", ".bin", "pm2"), strings.Fields(line)...)
	if got != code {
		t.Errorf("pm2 %s: exit code %d, want %d\n%s%s", line, got, code, out, errs)
	}
	for _, text := range texts {
		if !strings.Contains(out+errs, text) {
			t.Errorf("pm2 %s does not say %q:\n%s%s", line, text, out, errs)
		}
	}
	return out
}

// TestLibrary runs testdata/library.js, which uses the npm package as programs do
// and prints one line of JSON for each step.
func TestLibrary(t *testing.T) {
	r := newRig(t)
	out, errs, code := r.run(t, "node", "library.js")
	if code != 0 {
		t.Fatalf("exit code %d\n%s%s", code, out, errs)
	}
	var got []string
	for line := range strings.Lines(out) {
		got = append(got, strings.TrimSpace(line))
	}
	want, err := os.ReadFile(filepath.Join("testdata", "library.want"))
	if err != nil {
		t.Fatal(err)
	}
	if text := strings.Join(got, "\n") + "\n"; text != string(want) {
		t.Errorf("library.js says\n%s\nwant\n%s", text, want)
	}
	for _, call := range []string{"start", "stop", "restart", "reload", "delete", "duplicate", "data", "line", "reset", "signal SIGUSR2", "reloadLogs"} {
		r.called(t, call)
	}
}

func TestCommandLine(t *testing.T) {
	r := newRig(t)
	r.cli(t, 0, "start app.js --name a -i 2 --max-memory-restart 100M --kill-timeout 3000 --no-autorestart -- x y", "[PM2] Starting", "(2 instances)", "online")
	r.wantStarted(t)
	r.cli(t, 0, "ls", "a", "cluster", "20.0mb", "1.3%", "default")
	r.cli(t, 0, "stop a", "[PM2] [a](0) ✓", "[PM2] [a](1) ✓", "stopped")
	r.cli(t, 0, "start a", "[PM2] [a](0) ✓", "online")
	r.cli(t, 0, "restart 1", "[PM2] [a](1) ✓")
	r.cli(t, 0, "reload a", "[PM2] [a](0) ✓")
	r.cli(t, 0, "restart a --update-env --name b", "✓")
	if c := r.asked(); c.Spec.Name != "b" || c.Spec.Env["PM2_HOME"] == "" || !c.Set["env"] {
		t.Errorf("restart --update-env --name b asks for %+v", c)
	}
	r.cli(t, 0, "scale b 3", "Scaling up", "100002")
	r.cli(t, 0, "scale b 1", "✓")
	r.cli(t, 0, "describe b", "script args", "x y", "restarts", "exec cwd")
	r.cli(t, 0, "env 2", "PM2_HOME")
	r.cli(t, 0, "reset b", "Resetting meta")
	r.cli(t, 0, "pid b", "10000")
	r.cli(t, 0, "id b", "[ 2 ]")
	r.cli(t, 0, "sendSignal SIGUSR2 b", "successfully sent signal")
	r.cli(t, 0, "send 2 hello")
	r.cli(t, 0, "trigger b act", "done")
	r.cli(t, 0, "reloadLogs", "All logs reloaded")
	r.cli(t, 0, "flush", "Logs flushed")
	r.cli(t, 0, "ping", "{ msg: 'pong' }")
	r.cli(t, 0, "report", "PM2 report", "7.0.4 (gpm 0.1.0)")
	r.cli(t, 0, "prettylist", "pm_id: 2")
	r.cli(t, 1, "stop nosuch", "not found")
	r.cli(t, 1, "restart 99", "cannot find process 99")
	r.cli(t, 1, "describe nosuch", "doesn't exist")
	r.cli(t, 1, "profile:cpu 1")
	r.cli(t, 0, "delete all", "[PM2] [b](2) ✓")
	r.cli(t, 0, "kill", "PM2 Daemon Stopped")
	r.called(t, "kill")
}

// wantStarted checks what the command line's options became.
func (r *rig) wantStarted(t *testing.T) {
	t.Helper()
	c, dir := r.asked(), testdata(t)
	s := c.Spec
	type key struct {
		Name, Script, Cwd, Mode, Args string
		Instances                     int
		Kill                          time.Duration
		NoAutorestart                 bool
	}
	got := key{s.Name, s.Script, s.Cwd, string(s.ExecMode), fmt.Sprint(s.Args), s.Instances, s.Policy.KillTimeout, s.Policy.NoAutorestart}
	want := key{"a", filepath.Join(dir, "app.js"), dir, "cluster", "[x y]", 2, 3 * time.Second, true}
	if got != want {
		t.Errorf("started %+v\nwant    %+v", got, want)
	}
	if m := c.Spec.MaxMemoryRestart; m != 100<<20 {
		t.Errorf("max_memory_restart is %v", m)
	}
	if s.OutFile != "" || s.ErrorFile != "" || s.PidFile != "" {
		t.Errorf("pm2's default files are given as if the user had: %q %q %q", s.OutFile, s.ErrorFile, s.PidFile)
	}
}

func testdata(t *testing.T) string {
	dir, err := filepath.Abs("testdata")
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestCommandLineJSON: what jlist prints is what Element made, and an ecosystem
// file with a saved list goes the whole way round.
func TestCommandLineJSON(t *testing.T) {
	r := newRig(t)
	r.cli(t, 0, "start eco.config.js --env production", "App [eco] launched")
	if env := r.asked().Spec.Env; env["NODE_ENV"] != "production" || env["B"] != "2" {
		t.Errorf("the environment is %v", env)
	}
	if got := r.asked().Spec.Policy.StopExitCodes; fmt.Sprint(got) != "[0 3]" {
		t.Errorf("stop_exit_codes are %v", got)
	}
	r.cli(t, 0, "startOrReload eco.config.js --update-env", "✓")
	r.called(t, "reload")
	var list []map[string]any
	if err := json.Unmarshal([]byte(r.cli(t, 0, "jlist")), &list); err != nil {
		t.Fatal(err)
	}
	ours, _ := r.List(t.Context())
	text, _ := Encode(Element(ours[0], r.view))
	var want map[string]any
	json.Unmarshal(text, &want)
	if got := list[0]; fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("jlist prints\n%v\nwant\n%v", got, want)
	}
	r.cli(t, 0, "save", "Successfully saved")
	f := Locate(r.home, func(string) string { return "" })
	saved, err := ReadDump(f)
	if err != nil || len(saved) != 1 || saved[0].Spec.Name != "eco" || saved[0].Status != "online" || saved[0].Spec.Env["B"] != "2" {
		t.Errorf("saved %+v, error %v", saved, err)
	}
	r.cli(t, 0, "delete eco.config.js", "✓")
	r.cli(t, 0, "resurrect", "restored")
	if again, _ := r.List(t.Context()); len(again) != 1 || again[0].Spec.Script != filepath.Join(testdata(t), "app.js") {
		t.Errorf("after resurrect the list is %v", again)
	}
}

// TestStates: pm2's command line shows every state of gpm's.
func TestStates(t *testing.T) {
	r := newRig(t)
	var words []string
	for s := app.Stopped; s <= app.Unhealthy; s++ {
		list, _ := r.Start(t.Context(), Config{Spec: app.Spec{Name: fmt.Sprintf("p%d", s), Script: "/a.js"}})
		r.on("state", list[0].ID, "", func(p *Process) { p.State = s })
		if s != app.Waiting { // pm2's own table cuts that word
			words = append(words, s.String())
		}
	}
	r.cli(t, 0, "ls", words...)
	r.cli(t, 0, "describe p5", "waiting restart")
	r.cli(t, 0, "list -m", "status : unhealthy")
}

// TestStreams: `pm2 logs` follows the bus.
func TestStreams(t *testing.T) {
	r := newRig(t)
	r.cli(t, 0, "start app.js --name a")
	list, _ := r.List(t.Context())
	ctx, cancel := context.WithCancel(t.Context())
	var feed sync.WaitGroup
	feed.Go(func() {
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for ctx.Err() == nil {
			r.bus.Publish(TopicOut, LogEvent(list[0].Status, "a line\n", time.Now()))
			<-tick.C
		}
	})
	defer feed.Wait()
	defer cancel()
	out, errs, code := r.run(t, "node", "streams.js", filepath.Join(r.pm2, "node_modules", ".bin", "pm2"))
	if code != 0 || !strings.Contains(out, `"message":"a line"`) {
		t.Errorf("exit code %d\n%s%s", code, out, errs)
	}
}
