//go:build unix

package launch

import (
	"errors"
	"io/fs"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"gpm/app"
)

// searchPath is the PATH of an environment; without one, what a login has.
func searchPath(env map[string]string) string {
	if path, ok := env["PATH"]; ok {
		return path
	}
	return "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
}

// withExtensions returns the names a file may have.
func withExtensions(path string) []string { return []string{path} }

func isExecutable(_ string, info fs.FileInfo) bool { return info.Mode()&0o111 != 0 }

// direct is the command line of a file by what it is. Only is "interpreter: none":
// nothing but the file itself may be executed.
func direct(look lookup, path string, only bool) (argv []string, runtime string, err error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, "", fileError("the file", path, err)
	}
	executable := isExecutable(path, info)
	head, err := readHead(path)
	if errors.Is(err, fs.ErrPermission) && executable {
		return []string{path}, "", nil // to execute is not to read
	}
	if err != nil {
		return nil, "", fileError("the file", path, err)
	}
	switch kind := kindOf(head); {
	case kind == kindEmpty:
		return nil, "", app.Errorf(app.CodeInvalid, "the file %q is empty", path).WithHint("was it deployed whole?")
	case kind == kindText:
		return nil, "", app.Errorf(app.CodeInvalid, "the text file %q has neither an extension that gpm knows nor a #! line", path).
			WithHint("name what runs it with --interpreter")
	case !executable && (kind == kindBinary || only):
		return nil, "", notExecutable(path)
	case kind == kindScript:
		return script(look, path, head, executable)
	}
	return []string{path}, "", nil
}

// shell returns the shell with its flag, and the line it runs.
func shell(look lookup, line string, args []string) (argv []string, full string, err error) {
	path, ok := look.first("bash", "sh")
	if !ok {
		return nil, "", noProgram("sh")
	}
	for _, arg := range args {
		line += " '" + strings.ReplaceAll(arg, "'", `'\''`) + "'"
	}
	return []string{path, "-c"}, line, nil
}

// isSignal knows the names of signals, like "SIGTERM".
func isSignal(name string) bool { return unix.SignalNum(name) != 0 }
