package pm2

import (
	"errors"
	"reflect"
	"testing"
	"time"

	"gpm/app"
)

func decode(t *testing.T, text string) map[string]any {
	t.Helper()
	var m map[string]any
	if err := decodeNumbers([]byte(text), &m); err != nil {
		t.Fatal(err)
	}
	return m
}

func TestParseConfig(t *testing.T) {
	c, err := ParseConfig(decode(t, `{
		"name":"a b","namespace":"default","script":"x.js","pm_exec_path":"/srv/x.js","pm_cwd":"/srv","args":["1",2],"node_args":"--a --b",
		"exec_interpreter":"node","exec_mode":"cluster_mode","instances":"4","uid":0,"stop_exit_codes":3,"min_uptime":5000,"autorestart":false,
		"treekill":true,"autostart":true,"merge_logs":true,"kill_timeout":"3000","pm_out_log_path":"/h/logs/a-b-out.log","pm_err_log_path":"/x/e.log",
		"pm_pid_path":"/h/pids/a-b.pid","max_memory_restart":1073741824,"watch":["src"],"log_date_format":"HH:mm","log_type":"json","pm_log_path":"/l","env_production":{"N":"p"},"FLAT":"1","axm_actions":[],
		"env":{"B":2,"T":true,"FLAT":"1","a b":{},"unique_id":"u","X":null}
	}`), "/h")
	if err != nil {
		t.Fatal(err)
	}
	want := app.Spec{
		Name: "a b", Namespace: "default", Script: "/srv/x.js", Cwd: "/srv", Args: []string{"1", "2"}, InterpreterArgs: []string{"--a", "--b"},
		Interpreter: "node", ExecMode: app.Cluster, Instances: 4, User: "0", MergeLogs: true, ErrorFile: "/x/e.log", LogFile: "/l", LogFormat: "HH:mm", LogType: "json",
		Watch: []string{"src"}, MaxMemoryRestart: 1 << 30,
		Env:    map[string]string{"B": "2", "T": "true", "FLAT": "1"},
		Policy: app.Policy{StopExitCodes: []int{3}, MinUptime: 5 * time.Second, NoAutorestart: true, KillTimeout: 3 * time.Second},
	}
	if !reflect.DeepEqual(c.Spec, want) {
		t.Errorf("the spec is\n%+v\nwant\n%+v", c.Spec, want)
	}
	rest := map[string]any{"env_production": map[string]any{"N": "p"}}
	if !reflect.DeepEqual(c.Rest, rest) {
		t.Errorf("the rest is %v, want %v", c.Rest, rest)
	}
	if c.Set["out_file"] || c.Set["pid_file"] || !c.Set["error_file"] || !c.Set["policy.kill_timeout"] || !c.Set["policy.no_treekill"] {
		t.Errorf("set are %v", c.Set)
	}
}

func TestParseConfigRefuses(t *testing.T) {
	for _, text := range []string{
		`{"instances":"many"}`, `{"instances":1.5}`, `{"instances":[1]}`, `{"env":"x"}`, `{"env":[1]}`, `{"kill_timeout":-1}`, `{"kill_timeout":1e300}`,
		`{"exec_mode":"spoon"}`, `{"autorestart":"perhaps"}`, `{"args":[{}]}`, `{"stop_exit_codes":["x"]}`, `{"name":{}}`,
	} {
		if c, err := ParseConfig(decode(t, text), "/h"); !errors.Is(err, app.ErrInvalid) {
			t.Errorf("%s: %+v, error %v", text, c, err)
		}
	}
}

func TestParseChange(t *testing.T) {
	noise := `"filter_env":[],"env":{},"merge_logs":true,"instance_var":"NODE_APP_INSTANCE","username":"root","windowsHide":true,"kill_retry_time":100,"km_link":false`
	for name, c := range map[string]struct {
		in  string
		set app.Fields
		env map[string]string
	}{
		"nothing":            {`null`, app.Fields{}, nil},
		"restart a":          {`{"current_conf":{` + noise + `},"a":{}}`, app.Fields{}, nil},
		"start a":            {`{"current_conf":{"watch":false,` + noise + `},"a":{}}`, app.Fields{}, nil},
		"with --update-env":  {`{"A":"1","N":2,"current_conf":{"updateEnv":true,` + noise + `},"a":{}}`, app.Fields{"env": true}, map[string]string{"A": "1", "N": "2"}},
		"with --name":        {`{"current_conf":{"name":"z",` + noise + `},"a":{}}`, app.Fields{"name": true}, nil},
		"with a file":        {`{"current_conf":{"script":"a.js","autorestart":true,` + noise + `},"B":1,"a":{},"updateEnv":true}`, app.Fields{"policy.no_autorestart": true, "merge_logs": true, "instance_var": true, "filter_env": true, "env": true}, map[string]string{"B": "1"}},
		"with memory":        {`{"current_conf":{"max_memory_restart":5,` + noise + `}}`, app.Fields{"max_memory_restart": true}, nil},
		"settings of no map": {`{"current_conf":"x"}`, app.Fields{}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := ParseChange(decode(t, c.in), "/h")
			if err != nil || !reflect.DeepEqual(got.Set, c.set) || !reflect.DeepEqual(got.Spec.Env, c.env) {
				t.Errorf("set %v, env %v, error %v; want %v, %v", got.Set, got.Spec.Env, err, c.set, c.env)
			}
		})
	}
}

func FuzzParseConfig(f *testing.F) {
	f.Add(`{"name":"a","env":{"A":1},"args":["x"],"instances":2}`)
	f.Add(`{"current_conf":{"script":"a.js","env":{}},"A":"1"}`)
	f.Fuzz(func(t *testing.T, text string) {
		var m map[string]any
		if decodeNumbers([]byte(text), &m) != nil {
			return
		}
		if c, err := ParseConfig(m, "/h"); err == nil && c.Set == nil {
			t.Error("no error and nothing set")
		}
		ParseChange(m, "/h")
	})
}
