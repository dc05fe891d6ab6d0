package pm2

import (
	"encoding/json"
	"reflect"
	"slices"
	"testing"
	"time"

	"gpm/app"
)

func sample() Process {
	at := time.UnixMilli(1700000000123)
	p := Process{More: More{Settings: map[string]any{"max_memory_restart": 5, "watch": []string{"src"}}}}
	p.Spec = app.Spec{
		Name: "web", Script: "/srv/a.js", Cwd: "/srv", Args: []string{"<x>"}, Instances: 2, Policy: app.DefaultPolicy(),
		Env: map[string]string{"PORT": "80", "status": "mine", "name": "mine", "NODE_APP_INSTANCE": "7"},
	}
	p.Name, p.App, p.ID, p.Slot, p.Mode, p.User = "web", 3, 5, 1, app.Cluster, "me"
	p.State, p.PID, p.Created, p.Since, p.Restarts = app.Online, 42, at, at, 2
	p.Exit = &app.Exit{Code: -1, Signal: "SIGKILL"}
	p.Program, p.OutLog, p.ErrLog, p.PidFile = "/usr/bin/node", "/h/o", "/h/e", "/h/p"
	p.Usage = &app.Usage{CPU: 12.34, RSS: 1000}
	p.NodeVersion = "20.1.0"
	return p
}

func flat(t *testing.T, v any) map[string]any {
	t.Helper()
	text, err := Encode(v)
	if err != nil {
		t.Fatal(err)
	}
	var m map[string]any
	if err := json.Unmarshal(text, &m); err != nil {
		t.Fatal(err)
	}
	return m
}

func TestElement(t *testing.T) {
	e := flat(t, Element(sample(), View{Home: "/h"}))
	env := e["pm2_env"].(map[string]any)
	for key, want := range map[string]any{"pid": 42.0, "name": "web", "pm_id": 5.0, "monit": map[string]any{"memory": 1000.0, "cpu": 12.3}} {
		if !reflect.DeepEqual(e[key], want) {
			t.Errorf("%s is %v, want %v", key, e[key], want)
		}
	}
	for key, want := range map[string]any{
		"name": "web", "namespace": "default", "status": "online", "PORT": "80", "NODE_APP_INSTANCE": 1.0, "exec_mode": "cluster_mode",
		"exec_interpreter": "node", "pm_uptime": 1700000000123.0, "created_at": 1700000000123.0, "restart_time": 2.0, "exit_code": 137.0,
		"version": "N/A", "node_version": "20.1.0", "args": []any{"<x>"}, "node_args": []any{}, "kill_timeout": 5000.0, "autorestart": true,
		"max_memory_restart": 5.0, "axm_monitor": map[string]any{}, "PM2_HOME": "/h", "pm_exec_path": "/srv/a.js", "instances": 2.0,
		"prev_restart_delay": 0.0, "treekill": true, "watch": false, "merge_logs": false,
	} {
		if !reflect.DeepEqual(env[key], want) {
			t.Errorf("pm2_env.%s is %v (%T), want %v", key, env[key], env[key], want)
		}
	}
	inner := env["env"].(map[string]any)
	if inner["PORT"] != "80" || inner["status"] != "mine" || len(inner["unique_id"].(string)) != 36 {
		t.Errorf("env is %v", inner)
	}
}

// TestExecuted says what runs so that pm2 would run the same.
func TestExecuted(t *testing.T) {
	for _, c := range []struct {
		script, program string
		argv, args      []string
		path, by        string
		shown           []string
	}{
		{"echo a && b", "echo a && b", []string{"/bin/bash", "-c", "echo a && b"}, nil, "/bin/bash", "none", []string{"-c", "echo a && b"}},
		{"npm", "/usr/bin/npm", []string{"/usr/bin/npm", "start"}, []string{"start"}, "/usr/bin/npm", "none", []string{"start"}},
		{"/srv/a.js", "/srv/a.js", []string{"/usr/bin/node", "/srv/a.js"}, nil, "/srv/a.js", "node", nil},
	} {
		p := Process{}
		p.Spec = app.Spec{Script: c.script, Args: c.args}
		p.Program, p.Argv = c.program, c.argv
		if p.Spec.Interpreter = "none"; c.by == "node" {
			p.Spec.Interpreter = "node"
		}
		if path, by, args := executed(p); path != c.path || by != c.by || !slices.Equal(args, c.shown) {
			t.Errorf("%q is %q by %q with %q, want %q by %q with %q", c.script, path, by, args, c.path, c.by, c.shown)
		}
	}
}

func TestElementWithoutProcess(t *testing.T) {
	p := sample()
	p.State, p.Deadline = app.Waiting, p.Since.Add(150*time.Millisecond)
	e := flat(t, Element(p, View{}))
	env := e["pm2_env"].(map[string]any)
	if e["pid"] != 0.0 || env["status"] != "waiting restart" || env["prev_restart_delay"] != 150.0 {
		t.Errorf("pid %v, status %v, delay %v", e["pid"], env["status"], env["prev_restart_delay"])
	}
	if text, err := Encode(Element(Process{}, View{})); err != nil {
		t.Errorf("an empty process gives %s, error %v", text, err)
	}
}

func TestElementMasks(t *testing.T) {
	hide := func(key, value string) string {
		if key == "PORT" {
			return "*"
		}
		return value
	}
	env := flat(t, Env(sample(), View{Mask: hide}))
	if env["PORT"] != "*" || env["env"].(map[string]any)["PORT"] != "*" {
		t.Errorf("PORT shows as %v", env["PORT"])
	}
}

// TestElementReadsBack: what is shown is what a client hands back at resurrect.
func TestElementReadsBack(t *testing.T) {
	p := sample()
	delete(p.Spec.Env, "name")
	text, _ := Encode(Env(p, View{Home: "/h"}))
	c, err := ParseConfig(decode(t, string(text)), "/h")
	if err != nil {
		t.Fatal(err)
	}
	if c.Spec.Name != "web" || c.Spec.Script != p.Spec.Script || !reflect.DeepEqual(c.Spec.Env, p.Spec.Env) || c.Spec.Policy.KillTimeout != 5*time.Second {
		t.Errorf("read back %+v", c.Spec)
	}
}
