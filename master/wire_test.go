package master

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"reflect"
	"slices"
	"strings"
	"syscall"
	"testing"
)

func TestErrorsKeepTheirIdentity(t *testing.T) {
	for _, err := range []error{
		syscall.ENOENT, syscall.EACCES, syscall.ENOEXEC, syscall.EMFILE,
		fs.ErrNotExist, fs.ErrExist, os.ErrProcessDone, ErrNotEnded, ErrChildren, errors.ErrUnsupported,
	} {
		data, _ := json.Marshal(toWire(fmt.Errorf("cannot do it: %w", err)))
		var w wireError
		if e := json.Unmarshal(data, &w); e != nil {
			t.Fatal(e)
		}
		got := w.error()
		if !errors.Is(got, err) || got.Error() != "cannot do it: "+err.Error() {
			t.Errorf("%v arrived as %v", err, got)
		}
	}
	if err := toWire(nil).error(); err != nil {
		t.Errorf("no error arrived as %v", err)
	}
	if err := toWire(syscall.ENOENT).error(); !errors.Is(err, fs.ErrNotExist) {
		t.Error("ENOENT is no fs.ErrNotExist after the link")
	}
	if err := toWire(errors.New("other")).error(); err.Error() != "other" || errors.Is(err, fs.ErrExist) {
		t.Errorf("other: %v", err)
	}
}

func TestSpawnSurvivesAnyBytes(t *testing.T) {
	s := Spawn{
		Key: "k", Path: "/bin/\xff", Dir: "/tmp/\xc3(", Argv: []string{"", "a\xfe", ""},
		Env: []string{"A=\x80\x01<>&", "B="}, Stdin: true, Nice: new(5), Files: map[int]string{3: "x"},
		Credential: &Credential{UID: 1, GID: 2, Groups: []uint32{3}}, Rlimits: []Rlimit{{7, 1, 1<<64 - 1}},
	}
	data, err := json.Marshal(toWireSpawn(s))
	if err != nil {
		t.Fatal(err)
	}
	var w wireSpawn
	if err := json.Unmarshal(data, &w); err != nil {
		t.Fatal(err)
	}
	if got := w.spawn(); !reflect.DeepEqual(got, s) {
		t.Errorf("got  %+v\nwant %+v", got, s)
	}
}

func FuzzWords(f *testing.F) {
	f.Add("a,b,,c")
	f.Add("\xff,")
	f.Fuzz(func(t *testing.T, s string) {
		words := strings.Split(strings.ReplaceAll(s, "\x00", ""), ",")
		if got := splitWords(joinWords(words)); !slices.Equal(got, words) {
			t.Errorf("got %q, want %q", got, words)
		}
	})
}

func TestCheck(t *testing.T) {
	path, dir := "/bin/true", "/"
	if os.PathSeparator == '\\' {
		path, dir = `C:\a.exe`, `C:\`
	}
	good := Spawn{Key: "k", Path: path, Argv: []string{"x"}, Dir: dir}
	if err := good.check(); err != nil {
		t.Errorf("good: %v", err)
	}
	for name, spoil := range map[string]func(*Spawn){
		"no key":           func(s *Spawn) { s.Key = "" },
		"relative":         func(s *Spawn) { s.Path = "true" },
		"no argv":          func(s *Spawn) { s.Argv = nil },
		"zero byte":        func(s *Spawn) { s.Env = []string{"A=\x00"} },
		"descriptor 2":     func(s *Spawn) { s.Files = map[int]string{2: "x"} },
		"descriptor 1e6":   func(s *Spawn) { s.Files = map[int]string{1_000_000: "x"} },
		"zero byte in dir": func(s *Spawn) { s.Dir += "\x00" },
	} {
		s := good
		spoil(&s)
		if err := s.check(); !errors.Is(err, syscall.EINVAL) {
			t.Errorf("%s: %v, want EINVAL", name, err)
		}
	}
}
