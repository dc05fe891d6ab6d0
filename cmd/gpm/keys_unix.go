//go:build unix

package main

import (
	"os"

	"golang.org/x/sys/unix"
)

// rawKeys has a terminal hand over each key at once and not show it; Ctrl-C stays what it is. The function that it
// returns puts things back.
func rawKeys(in *os.File) (restore func()) {
	before, err := unix.IoctlGetTermios(int(in.Fd()), getTermios)
	if err != nil {
		return func() {} // no terminal
	}
	keys := *before
	keys.Lflag &^= unix.ICANON | unix.ECHO
	keys.Cc[unix.VMIN], keys.Cc[unix.VTIME] = 1, 0
	if unix.IoctlSetTermios(int(in.Fd()), setTermios, &keys) != nil {
		return func() {}
	}
	return func() { _ = unix.IoctlSetTermios(int(in.Fd()), setTermios, before) } //nolint:errcheck // it is gone
}
