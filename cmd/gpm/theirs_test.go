package main

import (
	"io"
	"slices"
	"strings"
	"testing"
)

// arranged is what cobra gets of a command line.
func arranged(args []string) []string {
	c := newCLI(io.Discard, io.Discard)
	return c.asTheyType(newRootCommand(c, firstWord(args)), args)
}

func TestAsTheyType(t *testing.T) {
	for _, tt := range []struct{ typed, want string }{
		{"start app.js", "start app.js"},
		{"start app.js --watch src", "start app.js --watch=src"},
		{"start --watch src app.js", "start --watch=src app.js"},
		{"start --watch app.js", "start --watch=true app.js"},
		{"start app.js --watch -i 2", "start app.js --watch=true -i 2"},
		{"start app.js --watch src --watch lib -- --watch x", "start app.js --watch=src --watch=lib -- --watch x"},
		{"start app.js --watch=src lib", "start app.js --watch=src lib"},
		{"start app.js --log", "start app.js --log=true"},
		{"start -l both.log app.js", "start -l=both.log app.js"},
		{"start app.js -lboth.log", "start app.js -lboth.log"},
		{"start app.js --filter-env", "start app.js"},
		{"start app.js --filter-env SSH", "start app.js --filter-env=SSH"},
		{"start app.js --name --watch x", "start app.js --name --watch x"},
		{"-f start app.js", "start -f app.js"},
		{"--name start -f start app.js", "start --name start -f app.js"},
		{"-n x start app.js", "start -n x app.js"},
		{"--sort cpu list", "list --sort cpu"},
		{"-- start", "-- start"},
		{"list --watch", "list --watch"},
		{"nope -f start", "nope -f start"},
		{"scale web --parallel 2 3", "scale web --parallel 2 3"},
		{"delete --log x", "delete --log=true x"},
		{"__complete restart w", "__complete restart w"},
		{"--home x __complete stop w", "--home x __complete stop w"},
		{"--home x stop w", "stop --home x w"},
		{"", ""},
	} {
		if got := strings.Join(arranged(strings.Fields(tt.typed)), " "); got != tt.want {
			t.Errorf("%q becomes %q, want %q", tt.typed, got, tt.want)
		}
	}
}

// FuzzAsTheyType: no command line loses what follows "--", whatever stands before it.
func FuzzAsTheyType(f *testing.F) {
	f.Add("start --watch src app.js -fm -é -= --=x -")
	f.Add("-n -n --sort --name stop restart -lx")
	f.Fuzz(func(t *testing.T, line string) {
		args := append(slices.DeleteFunc(strings.Fields(line), func(w string) bool { return w == "--" }), "x", "--", "y", "--log")
		if got := arranged(args); !slices.Equal(got[len(got)-3:], []string{"--", "y", "--log"}) {
			t.Errorf("%q becomes %q", args, got)
		}
	})
}
