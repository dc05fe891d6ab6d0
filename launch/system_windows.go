package launch

import (
	"cmp"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"gpm/app"
)

// searchPath is the PATH of an environment; names have no case on Windows.
func searchPath(env map[string]string) string {
	for name, value := range env {
		if strings.EqualFold(name, "PATH") {
			return value
		}
	}
	return os.Getenv("PATH")
}

// withExtensions returns the names a file may have: itself, or with what makes
// it a program.
func withExtensions(path string) []string {
	names := []string{path}
	for _, ext := range programExtensions() {
		names = append(names, path+ext)
	}
	return names
}

func programExtensions() []string { return []string{".exe", ".com", ".bat", ".cmd"} }

func isExecutable(path string, _ fs.FileInfo) bool {
	ext := strings.ToLower(filepath.Ext(path))
	for _, known := range programExtensions() {
		if ext == known {
			return true
		}
	}
	return false
}

// direct is the command line of a file by its extension.
func direct(_ lookup, path string, _ bool) (argv []string, runtime string, err error) {
	switch strings.ToLower(filepath.Ext(path)) {
	case ".exe", ".com":
		return []string{path}, "", nil
	case ".bat", ".cmd":
		return append(commandShell(), path), "", nil
	}
	return nil, "", app.Errorf(app.CodeInvalid, "the file %q is no program that Windows executes, and has no extension that gpm knows", path).
		WithHint("name what runs it with --interpreter")
}

func commandShell() []string {
	return []string{cmp.Or(os.Getenv("ComSpec"), `C:\Windows\System32\cmd.exe`), "/c"}
}

// shell returns cmd with its flag, and the line it runs.
func shell(_ lookup, line string, args []string) (argv []string, full string, err error) {
	return commandShell(), strings.Join(append([]string{line}, args...), " "), nil
}

// isSignal knows the signals that gpm imitates on Windows.
func isSignal(name string) bool {
	switch name {
	case "SIGINT", "SIGTERM", "SIGKILL", "SIGHUP", "SIGQUIT", "SIGBREAK":
		return true
	}
	return false
}

// rlimitResource: Windows has none.
func rlimitResource(string) (int, bool) { return 0, false }

// argLimits is the length of a command line, CreateProcess; the environment has no
// limit of its own there, but shares this check.
func argLimits() (one, total int) { return 32767, 1 << 20 }
