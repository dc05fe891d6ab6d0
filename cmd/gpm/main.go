// Command gpm is a process manager: it starts programs, keeps them up, and says what became of them.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	if code, ok := entry(os.Args[1:], os.Stderr); ok {
		os.Exit(code)
	}
	if code, ok := asFirstProcess(os.Args, os.Stderr); ok {
		os.Exit(code)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[0], os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}
