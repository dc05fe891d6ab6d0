package logs

import (
	"os"
	"path/filepath"
	"testing"
)

// TestSettledOnce: a batch that a killed daemon had written is not written again by the second daemon after it, when
// the file was rotated by then.
func TestSettledOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out.log")
	const line = "x: line\n"
	if err := os.WriteFile(path, []byte(line), 0o600); err != nil {
		t.Fatal(err)
	}
	st, err := statPath(path)
	if err != nil {
		t.Fatal(err)
	}
	spool := append(intent{n: int64(len("line\n")), file: st.id, size: int64(len(line))}.bytes(), make([]byte, spoolHead-intentSize)...)
	if err := os.WriteFile(spoolName(path, "k"), append(spool, "line\nhal"...), 0o600); err != nil {
		t.Fatal(err)
	}
	target := Target{Path: path, Key: "k", Format: &Format{Layout: "x"}}
	first, err := NewPump(Options{})
	if err != nil {
		t.Fatal(err)
	}
	attachTo(t, first, target)
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	s, w := attachTo(t, newPump(t, Options{}), target)
	write(t, w, "f\n")
	s.Drain(drainTime)
	if got := read(t, path+".1") + read(t, path); got != line+"x: half\n" {
		t.Errorf("%q", got)
	}
}
