//go:build unix

package errand

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestRun(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		argv  []string
		out   string
		fails string
	}{
		"a line for the shell": {[]string{"echo a; echo $B >&2"}, "a\nb", ""},
		"words, no shell":      {[]string{"/bin/echo", "$B", "a b"}, "$B a b", ""},
		"its code":             {[]string{"echo no; exit 3"}, "no", "exit status 3"},
		"its signal":           {[]string{"kill -9 $$"}, "", "killed"},
		"input":                {[]string{"cat"}, "from stdin", ""},
		"the end of much":      {[]string{"seq 1 1000"}, "98\n999\n1000", ""},
		"no such program":      {[]string{"/nowhere", "x"}, "", "no such file"},
		"nothing":              {[]string{" "}, "", "no command"},
		"what is left behind":  {[]string{"sleep 1000 & echo done"}, "done", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out, err := Run(t.Context(), Command{Argv: c.argv, Env: []string{"PATH=/usr/bin:/bin", "B=b"}, Stdin: []byte("from stdin"), Output: 12})
			if out != c.out {
				t.Errorf("output %q, want %q", out, c.out)
			}
			if c.fails == "" && err != nil || c.fails != "" && (err == nil || !strings.Contains(err.Error(), c.fails)) {
				t.Errorf("error %v, want %q", err, c.fails)
			}
		})
	}
}

// TestTimeEndsAll: a command whose time is over goes with its children, and its error is the reason.
func TestTimeEndsAll(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	over := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	done := make(chan error, 1)
	go func() {
		_, err := Run(ctx, Command{Argv: []string{"sleep 1000 & echo $! >tmp; mv tmp child; wait"}, Dir: dir, Env: os.Environ(), Output: 100})
		done <- err
	}()
	var child int
	for child == 0 {
		text, _ := os.ReadFile(filepath.Join(dir, "child"))
		child, _ = strconv.Atoi(strings.TrimSpace(string(text)))
	}
	cancel(over)
	if err := <-done; !errors.Is(err, over) {
		t.Errorf("error %v", err)
	}
	for limit := time.Now().Add(30 * time.Second); syscall.Kill(child, 0) == nil; {
		if state, _ := os.ReadFile("/proc/" + strconv.Itoa(child) + "/stat"); strings.Contains(string(state), ") Z ") {
			break // an orphan nobody has waited for yet
		}
		if time.Now().After(limit) {
			t.Fatal("the child lives")
		}
	}
}

func TestLastLine(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{"": "", "a\nb": `: "b"`, "one": `: "one"`} {
		if got := LastLine(in); got != want {
			t.Errorf("LastLine(%q) = %q, want %q", in, got, want)
		}
	}
}
