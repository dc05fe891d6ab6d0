// Package agent is the preload script inside Node apps and gpm's end of its
// connection.
//
// The script is silent until gpm sends a command. It reads and writes JSON
// lines on one end of a Unix socket pair that the app inherits; an app without
// it, with a broken one or with one that answers nonsense loses figures, never
// service.
package agent

import (
	"crypto/sha256"
	_ "embed" // for the script
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

//go:embed agent.cjs
var script []byte

// FDVariable tells the script which descriptor is its connection.
const FDVariable = "GPM_AGENT_FD"

const optionsVariable = "NODE_OPTIONS"

// Install writes the script into dir, unless it is there, and returns its path.
// Every version has a name of its own, so that an upgrade never changes a file
// under a starting app. Node refuses to start without the file: dir must be
// absolute, writable by nobody but gpm's user, and searchable by the users that
// apps run as.
func Install(dir string) (string, error) {
	path := filepath.Join(dir, fmt.Sprintf("gpm-agent-%.6x.cjs", sha256.Sum256(script)))
	if written, err := os.ReadFile(path); err == nil && string(written) == string(script) {
		return path, nil
	}
	if err := writeWhole(path, script); err != nil {
		return "", fmt.Errorf("cannot install the Node agent: %w", err)
	}
	return path, nil
}

// writeWhole renames a finished file into place: another gpm or a starting app
// never sees half of it.
func writeWhole(path string, content []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".gpm-agent-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) //nolint:errcheck // gone after the rename, and harmless otherwise
	_, err = f.Write(content)
	if err == nil {
		err = f.Chmod(0o644) // whatever the umask: apps may run as other users
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// Inject returns env with the script at path appended to the user's
// NODE_OPTIONS and its connection at descriptor fd; the script takes both away
// again. Node marks only descriptors up to 15, and those that follow without a
// gap, close-on-exec at its start: with a higher one the app's children inherit
// the connection.
func Inject(env []string, path string, fd int) []string {
	injected := make([]string, 0, len(env)+2)
	flag := "--require=" + quoteOption(path)
	for _, entry := range env {
		switch name, value, _ := strings.Cut(entry, "="); name {
		case optionsVariable: // the last one counts, as in os/exec
			flag = value + " --require=" + quoteOption(path)
		case FDVariable:
		default:
			injected = append(injected, entry)
		}
	}
	return append(injected, optionsVariable+"="+flag, FDVariable+"="+strconv.Itoa(fd))
}

// quoteOption quotes as node(1) reads NODE_OPTIONS: double quotes keep spaces,
// and within them a backslash keeps the next character.
func quoteOption(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}
