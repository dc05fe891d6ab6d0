package main

import (
	"strings"
	"testing"
)

func TestHarmless(t *testing.T) {
	for in, want := range map[string]string{
		"plain\ttext":                "plain\ttext",
		"\x1b[31mred\x1b[0m":         "\x1b[31mred\x1b[0m",
		"\x1b[2J\x1b[1;1Hgone":       "··gone",
		"\x1b]0;title\x07after":      "·after",
		"\x1b]52;c;aGk=\x1b\\pasted": "·pasted",
		"\x1bPq#0\x1b\\x":            "·x",
		"bell\x07 back\b\b":          "bell· back··",
		"\x1b":                       "·",
		"\u009b2J":                   "·2J",
		"carriage\rreturn":           "carriage·return",
	} {
		if got := harmless(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}

func FuzzHarmless(f *testing.F) {
	f.Add("\x1b[31m\x1b]0;x")
	f.Fuzz(func(t *testing.T, s string) {
		rest := harmless(s)
		for {
			at := strings.IndexFunc(rest, disturbs)
			if at < 0 {
				return
			}
			colour := colours().FindString(rest[at:])
			if colour == "" {
				t.Fatalf("%q still has %q", s, rest[at:])
			}
			rest = rest[at+len(colour):]
		}
	})
}
