//go:build unix

package launch

import (
	"errors"
	"math"
	"os"
	"os/user"
	"reflect"
	"slices"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"

	"gpm/app"
	"gpm/master"
)

func TestIdentifyAsRoot(t *testing.T) {
	daemon, err := user.Lookup("daemon")
	if err != nil {
		t.Skip("there is no user daemon")
	}
	uid, _ := strconv.Atoi(daemon.Uid)
	gid, _ := strconv.Atoi(daemon.Gid)
	for _, c := range []struct {
		user, group string
		uid, gid    int
		name        string
	}{
		{"daemon", "", uid, gid, "daemon"},
		{daemon.Uid, "", uid, gid, "daemon"},
		{"daemon", "0", uid, 0, "daemon"},
		{"123456", "234567", 123456, 234567, "123456"},
		{"", daemon.Gid, 0, gid, "root"},
	} {
		who, err := identifyAs(0, 0, c.user, c.group)
		if err != nil || who.name != c.name {
			t.Errorf("%q:%q: %+v, %v", c.user, c.group, who, err)
			continue
		}
		if cred := who.credential; int(cred.UID) != c.uid || int(cred.GID) != c.gid || !slices.Contains(cred.Groups, cred.GID) {
			t.Errorf("%q:%q: %+v", c.user, c.group, cred)
		}
	}
}

func TestIdentifyErrors(t *testing.T) {
	for _, c := range []struct {
		euid        int
		user, group string
		want        error
	}{
		{0, "no-such-user", "", app.ErrNotFound},
		{0, "0", "no-such-group", app.ErrNotFound},
		{0, "123456", "", app.ErrInvalid},              // its group is not known
		{0, "4294967295", "0", app.ErrInvalid},         // -1 to setuid(2)
		{0, "0", "99999999999", app.ErrInvalid},        //
		{1000, "0", "", app.ErrForbidden},              // not root
		{123456, "123456", "234567", app.ErrForbidden}, // another group
	} {
		if _, err := identifyAs(c.euid, c.euid, c.user, c.group); !errors.Is(err, c.want) || !Permanent(err) {
			t.Errorf("%d as %q:%q: %v, want %s", c.euid, c.user, c.group, err, c.want.(*app.Error).Code)
		}
	}
	if who, err := identifyAs(123456, 234567, "123456", "234567"); err != nil || who.credential != nil {
		t.Errorf("being oneself: %+v, %v", who, err)
	}
}

func TestUserEnvironment(t *testing.T) {
	root := tree(t, map[string]string{"app.js": "x", "bin/node*": elf})
	spec := testSpec(root, "app.js")
	spec.Env["HOME"], spec.User = "/home/caller", "daemon"
	plan, err := Resolve(spec, testInstance)
	if os.Geteuid() != 0 {
		if !errors.Is(err, app.ErrForbidden) {
			t.Errorf("another user without being root: %v", err)
		}
		return
	}
	env := envOf(plan)
	if err != nil || plan.User != "daemon" || env["USER"] != "daemon" || env["LOGNAME"] != "daemon" || env["HOME"] == "/home/caller" {
		t.Errorf("plan %+v, %v", plan, err)
	}
	spec.User = ""
	plan, err = Resolve(spec, testInstance)
	if err != nil || plan.Spawn.Credential != nil || envOf(plan)["HOME"] != "/home/caller" || plan.User == "" {
		t.Errorf("plan %+v, %v", plan, err)
	}
}

func TestRlimits(t *testing.T) {
	got, err := rlimits(map[string]string{"nofile": "1024:4096", "RLIMIT_CORE": "unlimited", "data": "512M", "stack": "8M:infinity"})
	const inf = math.MaxUint64
	want := []master.Rlimit{
		{Resource: unix.RLIMIT_CORE, Soft: inf, Hard: inf}, {Resource: unix.RLIMIT_DATA, Soft: 512 << 20, Hard: 512 << 20},
		{Resource: unix.RLIMIT_NOFILE, Soft: 1024, Hard: 4096}, {Resource: unix.RLIMIT_STACK, Soft: 8 << 20, Hard: inf},
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("rlimits %+v, %v; want %+v", got, err, want)
	}
	for name, value := range map[string]string{"nofiles": "1", "nofile": "many", "core": "", "cpu": "5:4", "data": "1:", "stack": "-1"} {
		if _, err := rlimits(map[string]string{name: value}); !errors.Is(err, app.ErrInvalid) || !Permanent(err) {
			t.Errorf("%s=%q: %v", name, value, err)
		}
	}
	if got, err := rlimits(nil); got != nil || err != nil {
		t.Errorf("no limits: %v, %v", got, err)
	}
}
