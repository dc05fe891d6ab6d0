package main

import (
	"slices"
	"strings"
	"testing"
)

func TestSignedNumbers(t *testing.T) {
	for line, want := range map[string]string{
		"scale web -1":           "scale web -- -1",
		"scale web -1 --home /h": "scale web --home /h -- -1",
		"--home /h scale web -3": "--home /h scale web -- -3",
		"scale web +1":           "scale web +1",
		"scale web -- -1":        "scale web -- -1",
		"start app.js -i -1":     "start app.js -i -1",
		"scale":                  "scale",
		"-1 scale":               "-1 scale",
	} {
		if got := signedNumbers(strings.Fields(line)); !slices.Equal(got, strings.Fields(want)) {
			t.Errorf("%s: %q", line, got)
		}
	}
}
