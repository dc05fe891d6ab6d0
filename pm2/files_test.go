package pm2

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"gpm/app"
)

func nothingSet(string) string { return "" }

func TestDump(t *testing.T) {
	f := Locate(t.TempDir(), nothingSet)
	if _, err := ReadDump(f); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("without a dump: %v", err)
	}
	p := sample()
	p.OutLog, p.PidFile = f.Log("web", "out-5"), f.PidOf("web-5")
	for range 2 { // the second makes the backup
		if err := WriteDump(f, []*Object{DumpEntry(p, View{Home: f.Home})}); err != nil {
			t.Fatal(err)
		}
	}
	check := func(what string) {
		t.Helper()
		list, err := ReadDump(f)
		if err != nil || len(list) != 1 || list[0].Spec.Name != "web" || list[0].Status != "online" || list[0].Restarts != 2 || !list[0].Created.Equal(p.Created) {
			t.Fatalf("%s: %+v, error %v", what, list, err)
		}
		if s := list[0].Spec; s.OutFile != "" || s.PidFile != "" || s.Instances != 0 {
			t.Errorf("%s: files %q %q, instances %d", what, s.OutFile, s.PidFile, s.Instances)
		}
	}
	check("dump")
	for _, path := range []string{f.Dump, f.Backup} {
		if info, err := os.Stat(path); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v, error %v", path, info.Mode(), err)
		}
	}
	os.WriteFile(f.Dump, []byte(`[{"name":`), 0o600)
	check("backup of a broken dump")
	if err := WriteDump(f, nil); err != nil {
		t.Fatal(err)
	}
	if text, _ := os.ReadFile(f.Dump); string(text) != "[]" {
		t.Errorf("the empty dump is %q", text)
	}
	os.Remove(f.Dump)
	check("backup: a broken dump did not replace it")
	if left, _ := filepath.Glob(filepath.Join(f.Home, ".*")); len(left) > 0 {
		t.Errorf("left over: %v", left)
	}
}

func TestReadDumpSaysWhere(t *testing.T) {
	f := Locate(t.TempDir(), nothingSet)
	os.WriteFile(f.Dump, []byte(`[{"name":"a"},{"name":"b","instances":"x"}]`), 0o600)
	if _, err := ReadDump(f); err == nil || !strings.Contains(err.Error(), `entry 2 of `) || !strings.Contains(err.Error(), `instances of app "b"`) {
		t.Errorf("the error is %v", err)
	}
}

func TestConf(t *testing.T) {
	path := filepath.Join(t.TempDir(), "module_conf.json")
	c, err := OpenConf(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, kv := range [][2]string{{"pm2:sysmonit", "false"}, {"a.b.c", "1"}, {"k", "v"}, {"m:x:y", "z"}, {"k:under", "text"}, {"m:w", "2"}} {
		if err := c.Set(kv[0], kv[1]); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Unset("a.b"); err != nil {
		t.Error(err)
	}
	if err := c.Unset("a.b"); !errors.Is(err, app.ErrNotFound) {
		t.Errorf("unset again: %v", err)
	}
	if err := c.Set(":", "x"); !errors.Is(err, app.ErrInvalid) {
		t.Errorf("set without a key: %v", err)
	}
	again, err := OpenConf(path)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := fmt.Sprint(again.Lines()), "[k:under text m:w 2 m:x:y z pm2:sysmonit false]"; got != want {
		t.Errorf("lines %s, want %s", got, want)
	}
	if v, ok := again.Get("m.x.y"); !ok || v != "z" {
		t.Errorf("m.x.y is %v", v)
	}
	if v, ok := again.Get("nope:x"); ok {
		t.Errorf("nope:x is %v", v)
	}
	if got, want := fmt.Sprint(again.Env("m")), `map[m:{"w":"2","x":{"y":"z"}} w:2]`; got != want {
		t.Errorf("the environment is %s, want %s", got, want)
	}
	text, _ := os.ReadFile(path)
	if !strings.HasPrefix(string(text), "{\n    \"a\": {},\n    \"k\": {\n        \"under\": \"text\"\n") {
		t.Errorf("the file is %s", text)
	}
}

func TestConfBroken(t *testing.T) {
	path := filepath.Join(t.TempDir(), "module_conf.json")
	os.WriteFile(path, []byte("{"), 0o600)
	if _, err := OpenConf(path); !errors.Is(err, app.ErrInvalid) {
		t.Errorf("error %v", err)
	}
}

func TestLocate(t *testing.T) {
	env := map[string]string{"PM2_DUMP_FILE_PATH": "/d", "PM2_DEFAULT_LOG_PATH": "/l", "HOME": "/u"}
	f := Locate("/h", func(k string) string { return env[k] })
	if f.Dump != "/d" || f.Log("a b_c.d-e", "out") != filepath.Join("/l", "a-b-c.d-e-out.log") || f.RPC != filepath.Join("/h", "rpc.sock") {
		t.Errorf("%q %q %q", f.Dump, f.Log("a b_c.d-e", "out"), f.RPC)
	}
	if got := HomeDir(func(k string) string { return env[k] }); got != filepath.Join("/u", ".pm2") {
		t.Errorf("home %q", got)
	}
	env["PM2_HOME"] = "/p"
	if got := HomeDir(func(k string) string { return env[k] }); got != "/p" {
		t.Errorf("home %q", got)
	}
}
