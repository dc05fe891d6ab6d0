package sockets

import (
	"os"
	"slices"
	"strconv"
	"strings"
)

// FirstListenFD is where the sockets of LISTEN_FDS begin in the child, sd_listen_fds(3).
const FirstListenFD = 3

// ListenEnv returns env with the variables of sd_listen_fds(3) for sockets that stand at
// descriptors 3, 4, … in the order of names. Pid must be that of the process which
// looks at them: see [ExecListening]; 0 leaves LISTEN_PID out.
func ListenEnv(env []string, pid int, names []string) []string {
	env = slices.DeleteFunc(slices.Clone(env), func(v string) bool {
		return strings.HasPrefix(v, "LISTEN_FDS=") || strings.HasPrefix(v, "LISTEN_PID=") || strings.HasPrefix(v, "LISTEN_FDNAMES=")
	})
	clean := make([]string, len(names))
	for i, name := range names {
		clean[i] = listenName(name)
	}
	env = append(env, "LISTEN_FDS="+strconv.Itoa(len(names)), "LISTEN_FDNAMES="+strings.Join(clean, ":"))
	if pid > 0 {
		env = append(env, "LISTEN_PID="+strconv.Itoa(pid))
	}
	return env
}

// listenName keeps to what LISTEN_FDNAMES allows: no colon, no control characters, 255 bytes.
func listenName(name string) string {
	name = strings.Map(func(r rune) rune {
		if r == ':' || r < ' ' || r > '~' {
			return '_'
		}
		return r
	}, name)
	return name[:min(len(name), 255)]
}

// ExecListening makes this process the program at path, which finds LISTEN_PID to be its
// own: nobody else can know the pid before it exists. Run it in a child that has the other
// variables of ListenEnv. It returns only when it fails.
func ExecListening(path string, argv, env []string) error {
	env = slices.DeleteFunc(slices.Clone(env), func(v string) bool { return strings.HasPrefix(v, "LISTEN_PID=") })
	return execve(path, argv, append(env, "LISTEN_PID="+strconv.Itoa(os.Getpid())))
}
