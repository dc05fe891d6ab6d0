// Package realpm2 gives tests the real pm2 from npm, as a client of gpm. It is only ever run, never read.
package realpm2

import (
	"errors"
	"testing"

	"gpm/testprog/install"
)

// Dir returns a directory with pm2 in node_modules, installed once for all runs; it skips the test where there is no npm.
func Dir(t testing.TB) string {
	t.Helper()
	dir, err := install.NPM("pm2-7", "pm2@7")
	if errors.Is(err, install.ErrMissing) {
		t.Skip("the real pm2 cannot be had: ", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return dir
}
