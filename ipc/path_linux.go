package ipc

import (
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"

	"gpm/app"
)

// shortPath returns an address for path that fits a sockaddr_un. A longer path is reached through a
// descriptor of its directory; done closes that.
func shortPath(path string) (addr string, done func(), err error) {
	if len(path) <= maxPath {
		return path, func() {}, nil
	}
	dir, name := filepath.Split(path)
	fd, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return "", nil, app.Errorf(app.CodeInternal, "cannot open %s: %w", dir, err)
	}
	addr = "/proc/self/fd/" + strconv.Itoa(fd) + "/" + name
	if len(addr) > maxPath {
		_ = unix.Close(fd)
		return "", nil, pathTooLong(path)
	}
	return addr, func() { _ = unix.Close(fd) }, nil
}
