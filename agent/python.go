package agent

import (
	_ "embed" // for the script
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

//go:embed sitecustomize.py
var pythonScript []byte

// importsVariable names the file that the script inside Python processes writes to.
const importsVariable = "GPM_IMPORTS"

const pythonPathVariable = "PYTHONPATH"

// InstallPython writes the script inside Python processes into a directory below dir, which Python is to find it in, and
// returns that.
func InstallPython(dir string) (string, error) {
	own := filepath.Join(dir, "python")
	err := os.MkdirAll(own, 0o700)
	if err == nil {
		err = writeWhole(filepath.Join(own, "sitecustomize.py"), pythonScript)
	}
	if err != nil {
		return "", fmt.Errorf("cannot install the Python hook: %w", err)
	}
	return own, nil
}

// InjectPython returns env with the script's directory before the user's PYTHONPATH; what is imported is written to file.
func InjectPython(env []string, dir, file string) []string {
	injected := make([]string, 0, len(env)+2)
	path := dir
	for _, entry := range env {
		name, value, _ := strings.Cut(entry, "=")
		switch {
		case name == pythonPathVariable && value != "":
			path = dir + string(os.PathListSeparator) + value
		case name != importsVariable && name != pythonPathVariable:
			injected = append(injected, entry)
		}
	}
	return append(injected, pythonPathVariable+"="+path, importsVariable+"="+file)
}
