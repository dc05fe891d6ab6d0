package gpm_test

import (
	"flag"
	"os"
	"slices"
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

// besides are the packages that the page's table leaves out: they are not the product.
var besides = []string{"bench", "cluster/e2e", "e2e", "testprog"}

// TestPackageTable keeps the page's table of packages equal to the arrows.
func TestPackageTable(t *testing.T) {
	page, err := os.ReadFile(architecture)
	if err != nil {
		t.Fatal(err)
	}
	drawn := packageRows(string(page))
	for path, imports := range arrows {
		if slices.ContainsFunc(besides, func(b string) bool { return path == b || strings.HasPrefix(path, b+"/") }) {
			continue
		}
		row, found := drawn[path]
		if !found {
			t.Errorf("%s has no row for package %s", architecture, path)
			continue
		}
		delete(drawn, path)
		if want := slices.Sorted(slices.Values(imports)); !slices.Equal(slices.Sorted(slices.Values(row)), want) {
			t.Errorf("%s lets %s import %v, the arrows %v", architecture, path, row, want)
		}
	}
	for path := range drawn {
		t.Errorf("%s has a row for %s, of which the arrows know nothing", architecture, path)
	}
}

// packageRows reads the rows "| `package` | idea | `import`, … |", imports by package.
func packageRows(page string) map[string][]string {
	rows := map[string][]string{}
	_, table, _ := strings.Cut(page, "| package | one idea | imports of ours |\n")
	for line := range strings.Lines(table) {
		cells := strings.Split(strings.TrimSpace(line), " | ")
		if len(cells) != 3 {
			if strings.TrimSpace(line) == "" {
				break
			}
			continue
		}
		var imports []string
		for i, word := range strings.Split(cells[2], "`") {
			if i%2 == 1 {
				imports = append(imports, word)
			}
		}
		rows[strings.Trim(cells[0], "|` ")] = imports
	}
	return rows
}
