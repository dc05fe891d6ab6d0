package launch

import (
	"errors"
	"fmt"
	"path/filepath"
	"syscall"
	"testing"

	"gpm/app"
)

func TestLogAndPidPaths(t *testing.T) {
	home := filepath.Join(string(filepath.Separator), "h")
	logs := func(name string) string { return filepath.Join(home, "logs", name) }
	for _, c := range []struct {
		spec     app.Spec
		out, err string
	}{
		{app.Spec{Name: "web"}, logs("web-out.log"), logs("web-error.log")},
		{app.Spec{Name: "my_app v1.2/ü"}, logs("my-app-v1.2---out.log"), logs("my-app-v1.2---error.log")},
		{app.Spec{Name: "web", Instances: 2}, logs("web-out-5.log"), logs("web-error-5.log")},
		{app.Spec{Name: "web", Instances: 2, MergeLogs: true}, logs("web-out.log"), logs("web-error.log")},
		{app.Spec{Name: "web", DisableLogs: true, OutFile: "x"}, "", ""},
		{app.Spec{Name: "web", OutFile: "/dev/null", ErrorFile: "NULL"}, "", ""},
		{
			app.Spec{Name: "web", Cwd: filepath.Join(home, "srv"), OutFile: "o.log", ErrorFile: filepath.Join(home, "e"), Instances: 2},
			filepath.Join(home, "srv", "o-5.log"), filepath.Join(home, "e"),
		},
	} {
		if out, err := LogPaths(home, c.spec, 5); out != c.out || err != c.err {
			t.Errorf("%+v: %q %q, want %q %q", c.spec, out, err, c.out, c.err)
		}
	}
	for _, c := range []struct {
		spec app.Spec
		want string
	}{
		{app.Spec{Name: "a b"}, filepath.Join(home, "pids", "a-b-5.pid")},
		{app.Spec{Name: "a", Cwd: home, PidFile: "run/a.pid"}, filepath.Join(home, "run", "a-5.pid")},
		{app.Spec{Name: "a", Cwd: home, PidFile: "a.lock"}, filepath.Join(home, "a.lock-5")},
	} {
		if got := PidPath(home, c.spec, 5); got != c.want {
			t.Errorf("pid file %q, want %q", got, c.want)
		}
	}
}

func TestPermanent(t *testing.T) {
	for _, err := range []error{syscall.ENOENT, syscall.EACCES, app.Errorf(app.CodeInvalid, "x"), fmt.Errorf("cannot spawn: %w", syscall.ENOEXEC)} {
		if !Permanent(err) {
			t.Errorf("%v passes?", err)
		}
	}
	for _, err := range []error{nil, syscall.EAGAIN, syscall.ENOMEM, syscall.EMFILE, app.Errorf(app.CodeInternal, "x"), errors.New("x")} {
		if Permanent(err) {
			t.Errorf("%v does not pass?", err)
		}
	}
}
