//go:build linux

package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"gpm/app"
	"gpm/testprog"
)

// nextVersion builds a later gpm: version 0.2.0, with another database schema, and with a daemon that ends before it
// serves when its home holds a file "fail-at-start". Its master waits at a FIFO "between", before it listens to signals.
var nextVersion = sync.OnceValues(func() (string, error) {
	dir := filepath.Join(filepath.Dir(gpmBin), "next")
	if err := os.Mkdir(dir, 0o755); err != nil {
		return "", err
	}
	root, err := testprog.Root()
	if err != nil {
		return "", err
	}
	replace := map[string]string{}
	for name, edit := range map[string][2]string{
		"store/schema.go":         {"{createBuckets}", "{createBuckets, func(*bbolt.Tx) error { return nil }}"},
		"daemon/rescue.go":        {"", "package daemon\n\nimport \"os\"\n\nfunc failAtStart(home string) {\n\tif _, err := os.Stat(home + \"/fail-at-start\"); err == nil {\n\t\tos.Exit(3)\n\t}\n}\n"},
		"cmd/gpm/entry_daemon.go": {"	return beMaster(home, table, lock)", "	_, _ = os.ReadFile(home + \"/between\") // a FIFO holds it up\n	return beMaster(home, table, lock)"},
		"daemon/daemon.go":        {"if err := d.takeOver(ctx)", "failAtStart(d.cfg.Home)\n\tif err := d.takeOver(ctx)"},
	} {
		text, _ := os.ReadFile(filepath.Join(root, name)) // one of them is new
		if !strings.Contains(string(text), edit[0]) {
			return "", fmt.Errorf("%s does not contain %q any more", name, edit[0])
		}
		copied := filepath.Join(dir, strings.ReplaceAll(name, "/", "-"))
		if err := os.WriteFile(copied, []byte(strings.Replace(string(text), edit[0], edit[1], 1)), 0o600); err != nil {
			return "", err
		}
		replace[filepath.Join(root, name)] = copied
	}
	overlay, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	if err := os.WriteFile(filepath.Join(dir, "overlay"), overlay, 0o600); err != nil {
		return "", err
	}
	return buildVersion(filepath.Join(dir, "gpm"), "0.2.0", "-overlay", filepath.Join(dir, "overlay"))
})

// earlierVersion builds a gpm that calls itself an earlier one, of the same schema.
var earlierVersion = sync.OnceValues(func() (string, error) {
	return buildVersion(filepath.Join(filepath.Dir(gpmBin), "gpm-earlier"), "0.0.9")
})

// buildVersion builds gpm as a file that says it is of a version.
func buildVersion(file, version string, args ...string) (string, error) {
	root, err := testprog.Root()
	if err != nil {
		return "", err
	}
	cmd := exec.Command("go", slices.Concat([]string{"build", "-buildvcs=false", "-trimpath", "-ldflags", "-X gpm/app.Version=" + version, "-o", file}, args, []string{"./cmd/gpm"})...)
	cmd.Dir, cmd.Env = root, append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	return file, nil
}

// built is the path of another gpm.
func (h *home) built(version func() (string, error)) string {
	h.t.Helper()
	file, err := version()
	if err != nil {
		h.t.Fatal(err)
	}
	return file
}

// next is the path of a later gpm.
func (h *home) next() string { return h.built(nextVersion) }

func (h *home) version() string { return h.daemon().Version }

// TestUpgrade changes to an earlier version and back, then to a later one from which there is no way back, under load: nobody may notice.
func TestUpgrade(t *testing.T) {
	h := newHome(t)
	next, earlier := h.next(), h.built(earlierVersion)
	ports := h.servers()
	ports["cluster"] = freePort(t)
	h.must("start", script(t, "http.js"), "--listen-timeout", "60s", "-i", "2", "--name", "cluster", "--env", "PORT="+ports["cluster"])
	h.until("the cluster answers", hang, func() bool { return get(t.Context(), ports["cluster"]) == nil })
	h.must("start", progBin, "--name", "printer", "--", "printer", "0", "2000")
	names := []string{"node", "go", "python", "cluster", "printer"}
	before, daemon := pids(h.list(), names...), h.daemon()
	l := startLoad(ports["node"], ports["go"], ports["python"], ports["cluster"])
	if out := h.must("update", earlier); !strings.Contains(out, "from version "+app.Version+" to 0.0.9; 6 processes are online") {
		t.Errorf("update to an earlier version says %q", out)
	}
	if d := h.daemon(); d.Version != "0.0.9" || d.Schema != 1 || d.MasterPID != daemon.MasterPID {
		t.Errorf("after the downgrade: %+v", d)
	}
	for range 2 { // the second is into the same version
		h.must("update", gpmBin)
	}
	if out := h.must("update", next); !strings.Contains(out, "from version "+app.Version+" to 0.2.0; 6 processes are online") {
		t.Errorf("update says %q", out)
	}
	d := h.daemon()
	if d.Version != "0.2.0" || d.Schema != 2 || d.MasterPID != daemon.MasterPID || d.Restarts != 4 {
		t.Errorf("after the update: %+v", d)
	}
	if _, err := os.Stat(filepath.Join(h.dir, "gpm.db.schema-1")); err != nil {
		t.Errorf("the database was migrated without a copy: %v", err)
	}
	h.fails("its schema version is 2", "update", gpmBin) // back
	if now := h.daemon(); now.PID != d.PID || now.Version != "0.2.0" {
		t.Errorf("a downgrade that was refused has touched something: %+v", now)
	}
	if now := pids(h.list(), names...); fmt.Sprint(now) != fmt.Sprint(before) {
		t.Errorf("pids were %v and are %v", before, now)
	}
	l.check(t)
	h.must("restart", "go")
	h.must("stop", "printer")
	checkNumbered(t, h.outLog("printer"), "out ")
}

// TestUpgradeGivenUp changes to a version that migrates the database and then does not come up.
func TestUpgradeGivenUp(t *testing.T) {
	h := newHome(t)
	next := h.next()
	h.must("start", progBin, "--name", "sleeper", "--", "sleep")
	h.must("start", progBin, "--name", "printer", "--", "printer", "0", "500")
	before, master := pids(h.list(), "sleeper", "printer"), h.daemon().MasterPID
	if err := os.WriteFile(filepath.Join(h.dir, "fail-at-start"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 { // and again, from the program that was returned to
		h.fails("cannot update to version 0.2.0: its daemon ended with exit code 3 before it served", "update", next)
		d := h.daemon()
		if d.Version != app.Version || d.Schema != 1 || d.MasterPID != master {
			t.Errorf("after the return: %+v", d)
		}
		if now := pids(h.list(), "sleeper", "printer"); fmt.Sprint(now) != fmt.Sprint(before) {
			t.Errorf("pids were %v and are %v", before, now)
		}
	}
	if out := h.must("events"); !strings.Contains(out, "given up: its daemon ended with exit code 3") {
		t.Errorf("events: %s", out)
	}
	h.must("stop", "printer")
	checkNumbered(t, h.outLog("printer"), "out ")
	if err := os.Remove(filepath.Join(h.dir, "fail-at-start")); err != nil {
		t.Fatal(err)
	}
	h.must("update", next)
	if v := h.version(); v != "0.2.0" {
		t.Errorf("version %s", v)
	}
}

// TestUpgradeRefused tries what can never take over: nothing may be touched.
func TestUpgradeRefused(t *testing.T) {
	h := newHome(t)
	if out := h.must("update"); !strings.Contains(out, "No daemon is running") {
		t.Errorf("update without a daemon says %q", out)
	}
	h.must("start", progBin, "--name", "sleeper", "--", "sleep")
	before := h.daemon().PID
	h.fails("no such file", "update", "/no/such/gpm")
	h.fails("exec format error", "update", h.write("text", "no program", 0o755))
	h.fails("permission denied", "update", h.write("data", "no program", 0o644))
	h.fails("does not answer as a gpm does", "update", "/bin/true")
	h.fails("exit status 1", "update", "/bin/false")
	h.fails("permission denied", "update", h.cwd)
	if now := h.daemon(); now.PID != before {
		t.Errorf("daemon was %d and is %d", before, now.PID)
	}
}
