package logs

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestSpoolStaysSmall: what goes through a spool does not fill the disk, also when no batch ends where a line does.
func TestSpoolStaysSmall(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out.log")
	p := newPump(t, Options{})
	s, w := attachTo(t, p, Target{Path: path, Key: "k", Format: &Format{Layout: "x"}})
	lines := strings.Repeat(strings.Repeat("y", 98)+"\n", 40_000)
	write(t, w, lines+"the rest")
	want := strings.ReplaceAll(lines, "yyy\n", "yyy\nx: ")
	want = "x: " + strings.TrimSuffix(want, "x: ")
	eventually(t, "all lines are written", func() bool {
		st, err := os.Stat(path)
		return err == nil && st.Size() == int64(len(want))
	})
	eventually(t, "the spool is small", func() bool {
		st, err := os.Stat(spoolName(path, "k"))
		return err == nil && st.Size() <= spoolHead+spoolKeep
	})
	s.Drain(drainTime)
	if read(t, path) != want+"x: the rest\n" {
		t.Error("the log has something else")
	}
}

// TestShrinkInterrupted: wherever the daemon was killed while it made a spool small, the beginning of a line is
// there, once.
func TestShrinkInterrupted(t *testing.T) {
	head := make([]byte, spoolHead)
	binary.LittleEndian.PutUint64(head[keptAt:], uint64(len("rest")))
	copy(head[keptText:], "rest")
	for name, body := range map[string]string{"head written": "gone\nrest", "rest written": "rest\nrest", "cut": "rest"} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "out.log")
			if err := os.WriteFile(spoolName(path, "k"), append(head, body...), 0o600); err != nil {
				t.Fatal(err)
			}
			p := newPump(t, Options{})
			s, w := attachTo(t, p, Target{Path: path, Key: "k", Format: &Format{Layout: "x"}})
			write(t, w, " of the line\n")
			s.Drain(drainTime)
			if got := read(t, path); got != "x: rest of the line\n" {
				t.Errorf("%q", got)
			}
		})
	}
}
