//go:build unix && !linux

package ipc

// shortPath returns path if it fits a sockaddr_un.
func shortPath(path string) (addr string, done func(), err error) {
	if len(path) > maxPath {
		return "", nil, pathTooLong(path)
	}
	return path, func() {}, nil
}
