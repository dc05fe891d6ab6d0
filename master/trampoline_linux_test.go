package master

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

func TestLimitsAreSet(t *testing.T) {
	hosts(t, func(t *testing.T, h Host) {
		s := self(t, "k", "self")
		s.Rlimits = []Rlimit{{unix.RLIMIT_NOFILE, 123, 456}, {unix.RLIMIT_CORE, 0, 0}}
		s.Nice, s.CPUs, s.OOMScoreAdj, s.Dir = new(7), []int{0}, new(321), os.TempDir()
		r := report(t, spawnIt(t, h, s))
		// The child is a Go program itself and raises its soft limit.
		if r.Nofile.Max != 456 || r.Nice != 7 || !slices.Equal(r.CPUs, []int{0}) || r.OOM != "321" || r.Dir != os.TempDir() {
			t.Errorf("%+v", r)
		}
		exitOf(t, h, "k")
		s = sh("k", "ulimit -Sn; ulimit -Hn")
		s.Rlimits = []Rlimit{{unix.RLIMIT_NOFILE, 123, 456}}
		p := spawnIt(t, h, s)
		exitOf(t, h, "k")
		if out, _ := io.ReadAll(p.Stdout); string(out) != "123\n456\n" {
			t.Errorf("ulimit: %q", out)
		}
	})
}

func TestLimitsThatCannotBeSet(t *testing.T) {
	hosts(t, func(t *testing.T, h Host) {
		for name, c := range map[string]struct {
			spoil func(*Spawn)
			want  syscall.Errno
			text  string
		}{
			"CPU":    {func(s *Spawn) { s.CPUs = []int{1000} }, syscall.EINVAL, "cannot set CPUs [1000]"},
			"no CPU": {func(s *Spawn) { s.CPUs = []int{-1} }, syscall.EINVAL, "cannot set CPUs [-1]"},
			"OOM":    {func(s *Spawn) { s.OOMScoreAdj = new(5000) }, syscall.EINVAL, "cannot set oom_score_adj 5000"},
			"rlimit": {func(s *Spawn) { s.Rlimits = []Rlimit{{99, 1, 1}} }, syscall.EINVAL, "cannot set resource limit 99"},
			"order":  {func(s *Spawn) { s.Rlimits = []Rlimit{{unix.RLIMIT_CPU, 9, 3}} }, syscall.EINVAL, "limit 0 to 9:3"},
			"dir":    {func(s *Spawn) { s.Nice, s.Dir = new(1), "/none" }, syscall.ENOENT, `cannot enter directory "/none"`},
		} {
			s := self(t, "k", "exit 0")
			c.spoil(&s)
			if _, err := h.Spawn(t.Context(), s); !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.text) {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}

func TestLimitsNeedATrampoline(t *testing.T) {
	table, err := NewTable(Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer table.Close()
	s := self(t, "k", "exit 0")
	s.Nice = new(1)
	if _, err := table.Spawn(t.Context(), s); !errors.Is(err, errors.ErrUnsupported) {
		t.Error(err)
	}
}

// nobody is a user that exists nowhere, so that it owns nothing.
const nobody = 54321

func TestUserChange(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	hosts(t, func(t *testing.T, h Host) {
		for key, nice := range map[string]*int{"direct": nil, "trampoline": new(-3)} {
			s := sh(key, "id -u; id -g; id -G; echo again > /dev/stdout; echo oops > /dev/stderr")
			s.Credential = &Credential{UID: nobody, GID: nobody + 1, Groups: []uint32{nobody + 1, nobody + 2}}
			s.Nice = nice
			p := spawnIt(t, h, s)
			e := exitOf(t, h, key)
			out, _ := io.ReadAll(p.Stdout)
			text, _ := io.ReadAll(p.Stderr)
			want := fmt.Sprintf("%d\n%d\n%d %d\nagain\n", nobody, nobody+1, nobody+1, nobody+2)
			if e.Code != 0 || string(out) != want || string(text) != "oops\n" {
				t.Errorf("%s: code %d, %q, %q", key, e.Code, out, text)
			}
		}
		s := sh("closed", "true")
		dir := t.TempDir()
		if err := os.Chmod(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		s.Credential, s.Dir = &Credential{UID: nobody, GID: nobody}, dir
		for _, nice := range []*int{nil, new(1)} {
			s.Nice = nice
			if _, err := h.Spawn(t.Context(), s); !errors.Is(err, syscall.EACCES) {
				t.Errorf("a folder of root: %v", err)
			}
		}
	})
}

// Once the master has raised its own limit, each child gets the original one.
func TestOriginalFileLimitIsRestored(t *testing.T) {
	table := newTable(t, Options{})
	table.files.original = &Rlimit{unix.RLIMIT_NOFILE, 77, 88}
	p := spawnIt(t, table, sh("k", "ulimit -Sn; ulimit -Hn"))
	exitOf(t, table, "k")
	s := sh("own", "ulimit -Sn; ulimit -Hn")
	s.Rlimits = []Rlimit{{unix.RLIMIT_NOFILE, 33, 44}}
	q := spawnIt(t, table, s)
	exitOf(t, table, "own")
	for want, p := range map[string]Spawned{"77\n88\n": p, "33\n44\n": q} {
		if out, _ := io.ReadAll(p.Stdout); string(out) != want {
			t.Errorf("%q, want %q", out, want)
		}
	}
}
