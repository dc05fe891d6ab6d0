//go:build unix

package main

import (
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
	ended, done := make(chan struct{}), make(chan struct{})
	go func() { // ends by stop, within one turn
		defer close(done)
		for fds := []unix.PollFd{{Fd: int32(out.Fd())}}; ; { // POLLERR needs no asking
			select {
			case <-ended:
				return
			default:
			}
			if n, _ := unix.Poll(fds, pollTurn); n > 0 {
				gone()
				return
			}
		}
	}()
	return func() { close(ended); <-done }
}

// pollTurn is in milliseconds.
const pollTurn = 100
