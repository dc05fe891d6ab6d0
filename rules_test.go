package gpm_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// platforms are those gpm is built and vetted for.
var platforms = []string{"linux", "darwin", "windows", "freebsd"}

// platformPlaces are the folders that may hold files for one platform.
var platformPlaces = []string{
	"agent", "cluster", "cluster/e2e", "cluster/primary", "cluster/sockets", "cmd/gpm", "daemon", "e2e", "ecosystem", "ecosystem/engine", "errand", "ipc", "ipc/channel", "ipc/frame", "launch", "logs", "master", "metrics", "proc", "store", "testprog/prog", "watch",
}

// platformSuffixes end the names of such files; "unix" and "other" are ours, the
// rest the go command's.
var platformSuffixes = append([]string{"unix", "other", "bsd", "openbsd", "netbsd", "solaris"}, platforms...)

// maxLines is the length of the longest file that is no test.
const maxLines = 400

// source is one Go file of the repository.
type source struct {
	dir, name string // dir is slash-separated and relative to the root
	text      string
	set       *token.FileSet
	tree      *ast.File
}

func (s source) path() string { return path.Join(s.dir, s.name) }

func (s source) isTest() bool { return strings.HasSuffix(s.name, "_test.go") }

func (s source) imports() []string {
	var paths []string
	for _, i := range s.tree.Imports {
		p, err := strconv.Unquote(i.Path.Value)
		if err == nil {
			paths = append(paths, p)
		}
	}
	return paths
}

// at is the line of a node, for messages.
func (s source) at(n ast.Node) string {
	return s.path() + ":" + strconv.Itoa(s.set.Position(n.Pos()).Line)
}

// platform is the platform suffix of the file's name, "" when it has none.
func (s source) platform() string {
	stem := strings.TrimSuffix(strings.TrimSuffix(s.name, ".go"), "_test")
	_, suffix, found := cutLast(stem, "_")
	if found && slices.Contains(platformSuffixes, suffix) {
		return suffix
	}
	return ""
}

func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}

// sources parses every Go file of the repository, those of other platforms too.
func sources(t *testing.T) []source {
	t.Helper()
	var files []source
	root := os.DirFS(".")
	err := fs.WalkDir(root, ".", func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (p == "bin" || p != "." && strings.HasPrefix(d.Name(), ".")) {
			return fs.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(p, ".go") {
			return nil
		}
		text, err := fs.ReadFile(root, p)
		if err != nil {
			return err
		}
		set := token.NewFileSet()
		tree, err := parser.ParseFile(set, p, text, parser.ParseComments)
		if err != nil {
			return err
		}
		files = append(files, source{path.Dir(p), path.Base(p), string(text), set, tree})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func TestPlatformFilesStayInTheirPlaces(t *testing.T) {
	for _, f := range sources(t) {
		if f.platform() != "" && !slices.Contains(platformPlaces, f.dir) {
			t.Errorf("%s is for one platform; only %v may hold such files", f.path(), platformPlaces)
		}
	}
}

// TestPortableCodeDoesNotAsk: a difference between platforms is a file, not an if.
func TestPortableCodeDoesNotAsk(t *testing.T) {
	for _, f := range sources(t) {
		if f.platform() == "" && !f.isTest() {
			f.forbid(t, "runtime", "GOOS")
		}
	}
}

func TestNoInitFunctions(t *testing.T) {
	for _, f := range sources(t) {
		for _, d := range f.tree.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "init" {
				t.Errorf("%s: init hides what runs at start-up; call it from main", f.at(fn))
			}
		}
	}
}

// TestTestsDoNotSleep: they wait for a published state, or for synctest's clock.
func TestTestsDoNotSleep(t *testing.T) {
	for _, f := range sources(t) {
		if f.isTest() {
			f.forbid(t, "time", "Sleep")
		}
	}
}

func TestFilesStayShort(t *testing.T) {
	for _, f := range sources(t) {
		if n := strings.Count(f.text, "\n"); n > maxLines && !f.isTest() {
			t.Errorf("%s has %d lines, more than %d: it has more than one subject", f.path(), n, maxLines)
		}
	}
}

// forbid fails t for every mention of pkg.name.
func (s source) forbid(t *testing.T, pkg, name string) {
	t.Helper()
	ast.Inspect(s.tree, func(n ast.Node) bool {
		sel, ok := n.(*ast.SelectorExpr)
		if !ok || sel.Sel.Name != name {
			return true
		}
		if id, ok := sel.X.(*ast.Ident); ok && id.Name == pkg {
			t.Errorf("%s: %s.%s is not used here", s.at(sel), pkg, name)
		}
		return true
	})
}
