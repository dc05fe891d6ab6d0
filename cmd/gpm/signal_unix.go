//go:build unix

package main

import (
	"os"
	"os/signal"
	"syscall"
)

// reopenSignal returns where SIGUSR2 arrives, by which pm2 is asked to open log files anew.
func reopenSignal() <-chan os.Signal {
	c := make(chan os.Signal, 1)
	signal.Notify(c, syscall.SIGUSR2)
	return c
}
