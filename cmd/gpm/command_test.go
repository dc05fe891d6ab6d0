package main

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"

	"gpm/app"
)

// good runs a command that must succeed and say nothing on stderr.
func good(t *testing.T, f *fake, args ...string) string {
	t.Helper()
	code, out, errOut := gpm(f.home, args...)
	if code != 0 || errOut != "" {
		t.Errorf("%v: rc %d, stderr %q", args, code, errOut)
	}
	return out
}

// bad runs a command that must fail with a sentence on stderr.
func bad(t *testing.T, f *fake, args ...string) (out, errOut string) {
	t.Helper()
	code, out, errOut := gpm(f.home, args...)
	if code != 1 || !strings.HasPrefix(errOut, "[gpm]") {
		t.Errorf("%v: rc %d, stderr %q", args, code, errOut)
	}
	return out, errOut
}

func TestListCommand(t *testing.T) {
	f := newFake(t)
	for _, name := range []string{"list", "ls", "l", "ps", "status"} {
		golden(t, "list", good(t, f, name))
	}
	golden(t, "list-by-restarts", good(t, f, "ls", "--sort", "restarts:desc"))
	golden(t, "list-mini", good(t, f, "ls", "-m"))
	var list []app.Status
	if err := json.Unmarshal([]byte(good(t, f, "list", "--json")), &list); err != nil || len(list) != 3 || list[0].Name != "api" {
		t.Errorf("%+v, %v", list, err)
	}
	_, errOut := bad(t, f, "list", "--sort", "colour")
	mustContain(t, "sort", errOut, "no such field")
}

func TestJlist(t *testing.T) {
	f := newFake(t)
	for _, args := range [][]string{{"jlist"}, {"prettylist", "--json"}, {"jlist", "--json"}} {
		out := good(t, f, args...)
		if strings.Contains(out, "hunter2") {
			t.Errorf("%v shows a secret", args)
		}
		var list []struct {
			PID  int `json:"pid"`
			PmID int `json:"pm_id"`
			Name string
			Env  map[string]any `json:"pm2_env"`
			Mon  struct {
				Memory int64
				CPU    float64
			} `json:"monit"`
		}
		if err := json.Unmarshal([]byte(out), &list); err != nil || len(list) != 3 {
			t.Fatalf("%v: %v\n%s", args, err, out)
		}
		web, api := list[0], list[1]
		if web.PID != 4242 || web.Name != "web" || web.PmID != 1 || web.Mon.Memory != 47448064 || web.Mon.CPU != 12.3 || api.PID != 0 {
			t.Errorf("%v: %+v", args, list)
		}
		for key, want := range map[string]any{
			"status": "online", "restart_time": 7.0, "exec_mode": "cluster_mode", "pm_exec_path": "/srv/web/app.js", "pm_cwd": "/srv/web", "kill_timeout": 5000.0,
			"autorestart": true, "version": "1.2.3", "pm_out_log_path": "/h/web-out.log", "NODE_APP_INSTANCE": 0.0, "created_at": 1795428000000.0,
		} {
			if web.Env[key] != want {
				t.Errorf("pm2_env.%s is %v, want %v", key, web.Env[key], want)
			}
		}
		if api.Env["exit_code"] != 3.0 || api.Env["status"] != "waiting restart" {
			t.Errorf("api: %v, %v", api.Env["exit_code"], api.Env["status"])
		}
	}
	mustContain(t, "jlist --reveal", good(t, f, "jlist", "--reveal"), `"API_KEY":"hunter2"`)
	if strings.Count(good(t, f, "jlist"), "\n") != 1 {
		t.Error("jlist takes more than a line")
	}
}

func TestDescribe(t *testing.T) {
	f := newFake(t)
	t.Setenv("NODE_ENV", "test")
	t.Setenv("API_KEY", "other")
	out := good(t, f, "describe", "web")
	mustContain(t, "describe", out, "Describing process with id 1 - name web", "│ status", "│ online", "/srv/web/app.js", "--port 80", "cluster_mode", "3h",
		"2026-11-23T10:00:00.000Z", "SIGINT, SIGKILL after 5s", "12.3%", "45.2mb", "Divergent env", "production")
	if strings.Contains(out, "hunter2") {
		t.Error("describe shows a secret")
	}
	mustContain(t, "describe --reveal", good(t, f, "show", "web", "--reveal"), "hunter2")
	mustContain(t, "describe api", good(t, f, "desc", "0"), "exit code 3 after 1.5s at ", "waiting restart")
	both := good(t, f, "describe", "web", "api", "--json")
	var details []app.Detail
	if err := json.Unmarshal([]byte(both), &details); err != nil || len(details) != 2 || strings.Contains(both, "hunter2") || details[0].Spec.Env["API_KEY"] != masked {
		t.Errorf("%+v, %v", details, err)
	}
	_, errOut := bad(t, f, "describe", "nosuch")
	if errOut != "[gpm][WARN] nosuch doesn't exist\n" {
		t.Errorf("%q", errOut)
	}
	bad(t, f, "describe", "web", "nosuch")
}

func TestStartCommand(t *testing.T) {
	f := newFake(t)
	out := good(t, f, "start", "app.js", "--name", "web", "--", "-x")
	mustContain(t, "start", out, "[gpm] Starting app.js in fork_mode (1 instance)\n[gpm] [web](1) ✓\n┌──")
	if len(f.starts) != 1 || f.starts[0].Spec.Name != "web" || !slices.Equal(f.starts[0].Spec.Args, []string{"-x"}) || f.starts[0].Spec.Env["PATH"] == "" {
		t.Errorf("%+v", f.starts)
	}
	out, errOut := bad(t, f, "start", "nosuch")
	if out != "" || errOut != "[gpm][ERROR] cannot start \"nosuch\": no such file or program\n[gpm][INFO] look at the path\n" {
		t.Errorf("%q, %q", out, errOut)
	}
	if out := good(t, f, "-s", "start", "app.js"); out != "" {
		t.Errorf("silent start says %q", out)
	}
}

func TestActionCommands(t *testing.T) {
	f := newFake(t)
	for _, tt := range []struct {
		args string
		want app.ActionRequest
		out  string
	}{
		{"stop web", app.ActionRequest{Action: app.ActionStop, Selectors: []string{"web"}}, "[gpm] Applying action stopProcessId on app [web](ids: [ 1 ])\n[gpm] [web](1) ✓\n┌"},
		{"restart 0 web", app.ActionRequest{Action: app.ActionRestart, Selectors: []string{"0", "web"}},
			"[gpm] Use --update-env to update environment variables\n[gpm] Applying action restartProcessId on app [0, web](ids: [ 0, 1 ])\n[gpm] [api](0) ✓\n[gpm] [web](1) ✓\n┌"},
		{"del web", app.ActionRequest{Action: app.ActionDelete, Selectors: []string{"web"}}, "deleteProcessId"},
		{"delete default", app.ActionRequest{Action: app.ActionDelete, Selectors: []string{"default"}}, "(ids: [ 1, 0 ])"},
		{"reset web", app.ActionRequest{Action: app.ActionReset, Selectors: []string{"web"}}, "resetProcessId"},
		{"sendSignal hup web", app.ActionRequest{Action: app.ActionSignal, Signal: "SIGHUP", Selectors: []string{"web"}}, "signalProcessId"},
		{"sendSignal 10 web", app.ActionRequest{Action: app.ActionSignal, Signal: "10", Selectors: []string{"web"}}, "✓"},
	} {
		f.actions = nil
		mustContain(t, tt.args, good(t, f, strings.Fields(tt.args)...), tt.out)
		if len(f.actions) != 1 || f.actions[0].Action != tt.want.Action || !slices.Equal(f.actions[0].Selectors, tt.want.Selectors) || f.actions[0].Signal != tt.want.Signal {
			t.Errorf("%s: %+v", tt.args, f.actions)
		}
	}
	if out := good(t, f, "-s", "stop", "web"); out != "" {
		t.Errorf("silent stop says %q", out)
	}
}

// A process that fails hides neither the others nor itself.
func TestActionThatFailsInPart(t *testing.T) {
	f := newFake(t)
	out, errOut := bad(t, f, "stop", "all")
	mustContain(t, "stdout", out, "(ids: [ 1, 0, 2 ])", "[web](1) ✓", "[api](0) ✓", "│ stuck")
	if errOut != "[gpm][ERROR] [stuck](2) cannot stop it: still alive after SIGKILL\n[gpm][INFO] it hangs in the kernel\n" {
		t.Errorf("%q", errOut)
	}
}

func TestUnknownSelector(t *testing.T) {
	f := newFake(t)
	for _, command := range []string{"stop", "restart", "delete", "reset", "why", "logs"} {
		_, errOut := bad(t, f, command, "nosuch")
		mustContain(t, command, errOut, `[gpm][ERROR] cannot find process or namespace "nosuch"`)
	}
	if len(f.actions) != 0 {
		t.Errorf("%+v", f.actions)
	}
}

func TestNothingToActOn(t *testing.T) {
	f := newFake(t)
	f.details = nil
	code, _, errOut := gpm(f.home, "stop", "all")
	if code != 0 || errOut != "[gpm][WARN] No process found\n" {
		t.Errorf("rc %d, %q", code, errOut)
	}
}

func TestLogsCommand(t *testing.T) {
	f := newFake(t)
	golden(t, "logs", good(t, f, "logs", "--nostream"))
	golden(t, "logs-timestamp", good(t, f, "log", "web", "--nostream", "--lines", "3", "--timestamp"))
	golden(t, "logs-json", regexp.MustCompile(`"timestamp":"[^"]*"`).ReplaceAllString(good(t, f, "logs", "--nostream", "--json"), `"timestamp":"T"`))
	code, out, errOut := gpm(f.home, "logs", "--nostream", "--raw")
	if code != 0 || out != "listening\n<&> 日本\n" || errOut != "oops\n" {
		t.Errorf("raw: rc %d, %q, %q", code, out, errOut)
	}
	good(t, f, "logs", "--nostream", "--err", "--lines", "-1", "web")
	q := f.queries[len(f.queries)-1]
	if q.Lines != -1 || q.Follow || !slices.Equal(q.Streams, []app.LogStream{app.Stderr}) || !slices.Equal(q.Selectors, []string{"web"}) {
		t.Errorf("%+v", q)
	}
}

func TestWhyAndEvents(t *testing.T) {
	f := newFake(t)
	why := good(t, f, "why", "api")
	mustContain(t, "why", why, "api (id 0) is waiting restart: exit code 3; 12345 restarts since ",
		"2026-11-23 10:00:01.000  start       pid 77\n", "2026-11-23 10:00:03.000  exit        pid 77, killed by SIGSEGV (core dumped) after 2s\n    err | panic: ·[2Jbad\n    err | at main\n",
		"exit code 0 after 1h0m0s, asked by user")
	if strings.Contains(why, "daemon up") {
		t.Error("why tells what is not about the process")
	}
	mustContain(t, "events", good(t, f, "events"), "gpm               daemon up   version 0.1.0\n", "api(0)            start       pid 77\n")
	for _, args := range [][]string{{"why", "api", "--json"}, {"events", "--json"}} {
		if out := good(t, f, args...); !json.Valid([]byte(strings.Split(out, "\n")[0])) || !strings.Contains(out, `"kind":"exit"`) {
			t.Errorf("%v: %s", args, out)
		}
	}
	bad(t, f, "why", "api", "--last", "-1")
	bad(t, f, "events", "--last", "-1")
}

func TestSmallCommands(t *testing.T) {
	f := newFake(t)
	for args, want := range map[string]string{
		"ping": "{ msg: 'pong' }\n", "id default": "[ 1, 0 ]\n", "id nosuch": "[]\n", "id web --json": "[1]\n", "pid web": "4242\n", "pid": "4242\n0\n0\n", "pid nosuch": "\n",
		"pid --json": "[4242,0,0]\n", "version": app.Version + "\n", "-v": app.Version + "\n", "version --json": `{"version":"` + app.Version + "\"}\n",
	} {
		if got := good(t, f, strings.Fields(args)...); got != want {
			t.Errorf("%s: %q, want %q", args, got, want)
		}
	}
	mustContain(t, "daemon status", good(t, f, "daemon", "status"), "│ daemon pid", "│ 11 ", "the disk is full")
	mustContain(t, "daemon status --json", good(t, f, "daemon", "status", "--json"), `"master_pid":10`)
	mustContain(t, "ping --json", good(t, f, "ping", "--json"), `"pid":11`)
}

func TestKillCommand(t *testing.T) {
	f := newFake(t)
	f.details = f.details[:2]
	if out := good(t, f, "kill"); out != "[gpm] [web](1) ✓\n[gpm] [api](0) ✓\n[gpm] [v] All Applications Stopped\n[gpm] [v] gpm Daemon Stopped\n" {
		t.Errorf("%q", out)
	}
	f.untilGone(t)
	if out := good(t, f, "kill"); out != "[gpm] No daemon is running\n" {
		t.Errorf("%q", out)
	}
}

func TestUsageErrors(t *testing.T) {
	f := newFake(t)
	for args, want := range map[string]string{
		"strat web":         `did you mean "start"?`,
		"strat --name x":    `cannot run "gpm strat": no such command`,
		"list --jsn":        "did you mean --json?",
		"list extra":        `unexpected argument "extra"`,
		"stop":              "missing required argument",
		"sendSignal HUP":    "missing required argument",
		"start":             "no script, program or name given",
		"daemon stats":      `did you mean "status"?`,
		"--nonsense":        "unknown option --nonsense",
		"list -Q":           "unknown option -Q",
		"logs --lines many": `cannot use --lines "many"`,
		"describe":          "missing required argument",
	} {
		_, errOut := bad(t, f, strings.Fields(args)...)
		mustContain(t, args, errOut, want)
		if strings.Count(errOut, "\n") != 2 {
			t.Errorf("%s: not a sentence and a hint: %q", args, errOut)
		}
	}
	if code, out, errOut := gpm(f.home); code != 1 || !strings.HasPrefix(out, "usage: gpm") || errOut != "" {
		t.Errorf("no arguments: rc %d, %q, %q", code, out, errOut)
	}
	if out := good(t, f, "--help"); !strings.Contains(out, "Processes:") {
		t.Errorf("--help: %q", out)
	}
}

func TestCompletion(t *testing.T) {
	f := newFake(t)
	code, out, _ := gpm(f.home, "__complete", "restart", "")
	if code != 0 || !strings.HasPrefix(out, "all\nweb\napi\nstuck\n") {
		t.Errorf("rc %d, %q", code, out)
	}
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		if out := good(t, f, "completion", shell); !strings.Contains(out, "gpm") {
			t.Errorf("%s: %q", shell, out)
		}
	}
}
