package main

import (
	"os"

	"golang.org/x/sys/windows"
)

// terminalWidth returns the columns of a console, and has it understand colours; ok is false for
// anything else.
func terminalWidth(f *os.File) (columns int, ok bool) {
	var info windows.ConsoleScreenBufferInfo
	h := windows.Handle(f.Fd())
	if err := windows.GetConsoleScreenBufferInfo(h, &info); err != nil {
		return 0, false
	}
	var mode uint32
	if err := windows.GetConsoleMode(h, &mode); err == nil {
		_ = windows.SetConsoleMode(h, mode|windows.ENABLE_VIRTUAL_TERMINAL_PROCESSING)
	}
	return int(info.Window.Right-info.Window.Left) + 1, true
}

// watchReader does nothing: a write to a closed pipe is noticed soon enough.
func watchReader(*os.File, func()) (stop func()) { return func() {} }
