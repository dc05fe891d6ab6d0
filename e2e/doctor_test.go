//go:build linux

package e2e

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// diagnosis is what gpm doctor says of one thing.
type diagnosis struct{ About, Grade, Text, Advice string }

// diagnose runs a command that is a gpm doctor, and returns what it says about something.
func (h *home) diagnose(about string, cmd *exec.Cmd) diagnosis {
	h.t.Helper()
	r := h.finish(cmd)
	var all []diagnosis
	if err := json.Unmarshal([]byte(r.out), &all); err != nil {
		h.t.Fatalf("%v\n%s%s", err, r.out, r.err)
	}
	var found diagnosis
	failed := false
	for _, d := range all {
		if d.About == about {
			found = d
		}
		failed = failed || d.Grade == "fail"
	}
	if failed != (r.code != 0) {
		h.t.Errorf("exit code %d, and %+v", r.code, all)
	}
	return found
}

func (d diagnosis) expect(t *testing.T, grade, text, advice string) {
	t.Helper()
	if d.Grade != grade || !strings.Contains(d.Text, text) || !strings.Contains(d.Advice, advice) {
		t.Errorf("doctor says %+v, want %s, %q and the advice %q", d, grade, text, advice)
	}
}

// TestDoctorLooksAtTheDisk: full, without room for files, and read-only.
func TestDoctorLooksAtTheDisk(t *testing.T) {
	t.Parallel()
	nobody(t)
	h := newHome(t)
	h.makeHome()
	look := func() diagnosis { return h.diagnose("disk", h.command("doctor", "--json")) }
	h.mountSmall(h.dir, "1m")
	look().expect(t, "fail", "are free for "+h.dir, "free some space")
	remount := func(options string) {
		if err := syscall.Mount("", h.dir, "", syscall.MS_REMOUNT, options); err != nil {
			t.Fatal(err)
		}
	}
	remount("size=1g,nr_inodes=100")
	look().expect(t, "fail", "more files can be made", "remove some files")
	remount("size=1g,nr_inodes=100k")
	look().expect(t, "ok", "are free for "+h.dir, "")
	if err := syscall.Mount("", h.dir, "", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	look().expect(t, "fail", "read-only", "set GPM_HOME")
}

// TestDoctorLooksAtLimits: those of a user who may open few files.
func TestDoctorLooksAtLimits(t *testing.T) {
	t.Parallel()
	stranger := nobody(t)
	h := newHome(t)
	h.makeHome()
	if err := errors.Join(os.Chmod(filepath.Dir(filepath.Dir(h.dir)), 0o755), os.Chown(h.dir, int(stranger.Uid), int(stranger.Gid))); err != nil {
		t.Fatal(err)
	}
	h.user, h.cwd = stranger, "/"
	look := func(about, limits string) diagnosis {
		cmd := h.command()
		cmd.Path, cmd.Args = "/bin/bash", []string{"bash", "-c", limits + "; exec " + gpmBin + " doctor --json"}
		return h.diagnose(about, cmd)
	}
	look("files", "ulimit -n 256").expect(t, "warn", "256 may be open in a process", "LimitNOFILE=")
	look("files", "ulimit -n 8192").expect(t, "ok", "8192 may be open in a process", "")
	h.must("ping")
	look("files", "ulimit -n 256").expect(t, "ok", "may be open in a process", "") // the limit of the daemon is what counts
	h.must("daemon", "stop")
	look("processes", "ulimit -u 500").expect(t, "warn", "500 may run at once", "ulimit -u")
}

// TestDoctorLooksAtTheClock: one that went back behind what was written by it.
func TestDoctorLooksAtTheClock(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	h.makeHome()
	h.put("gpm.db", "")
	later := func(file string) {
		if err := os.Chtimes(file, time.Time{}, time.Now().Add(2*time.Hour)); err != nil {
			t.Fatal(err)
		}
	}
	later(filepath.Join(h.dir, "gpm.db"))
	h.diagnose("clock", h.command("doctor", "--json")).expect(t, "warn", "before the database was written last", "set the clock")
	binary := filepath.Join(h.cwd, "gpm")
	if out, err := exec.Command("cp", gpmBin, binary).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	later(binary)
	cmd := h.command("doctor", "--json")
	cmd.Path = binary
	h.diagnose("clock", cmd).expect(t, "fail", "before this program was written", "set the clock")
}
