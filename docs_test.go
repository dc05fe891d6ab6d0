package gpm_test

import (
	"flag"
	"os"
	"strings"
	"testing"

	"gpm/proc"
)

var update = flag.Bool("update", false, "rewrite the generated parts of the documents")

const (
	architecture = "docs/ARCHITECTURE.md"
	tableBegin   = "<!-- state table -->\n"
	tableEnd     = "<!-- end -->"
)

// TestStateTable keeps the page's state table equal to the one the code prints.
func TestStateTable(t *testing.T) {
	page, err := os.ReadFile(architecture)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, found := strings.Cut(string(page), tableBegin)
	have, after, closed := strings.Cut(rest, tableEnd)
	if !found || !closed {
		t.Fatalf("%s has no block %q … %q", architecture, tableBegin, tableEnd)
	}
	want := strings.TrimRight(proc.Table(), "\n") + "\n"
	if have == want {
		return
	}
	if !*update {
		t.Fatalf("the state table of %s is not that of the code (go test . -update writes it); the code says:\n%s", architecture, want)
	}
	if err := os.WriteFile(architecture, []byte(before+tableBegin+want+tableEnd+after), 0o644); err != nil {
		t.Fatal(err)
	}
}
