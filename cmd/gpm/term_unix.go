//go:build unix

package main

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// terminalWidth returns the columns of a terminal; ok is false for anything else.
func terminalWidth(f *os.File) (columns int, ok bool) {
	size, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ)
	if err != nil {
		return 0, false
	}
	return int(size.Col), true
}

// watchReader calls gone when out is a pipe that nobody reads any more, and returns a
// function that ends the watch. A command that follows something would else notice only at its next line.
func watchReader(out *os.File, gone func()) (stop func()) {
	info, err := out.Stat()
	if err != nil || info.Mode()&os.ModeNamedPipe == 0 {
		return func() {}
	}
	ended, end, err := os.Pipe()
	if err != nil {
		return func() {}
	}
	fds := []unix.PollFd{{Fd: int32(out.Fd())}, {Fd: int32(ended.Fd())}} // POLLERR and POLLHUP need no asking
	done := make(chan struct{})
	go func() { // ends by stop, at once: the command waits for it
		defer close(done)
		for {
			if _, err := unix.Poll(fds, -1); !errors.Is(err, unix.EINTR) {
				break
			}
		}
		if fds[0].Revents != 0 {
			gone()
		}
	}()
	return func() {
		_ = end.Close() // wakes it
		<-done
		_ = ended.Close()
	}
}
