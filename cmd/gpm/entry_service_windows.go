package main

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/windows/svc"

	"gpm/app"
	"gpm/daemon"
	"gpm/master"
)

// runService is the life of gpm as a Windows service: the service manager's stop is that of the machine.
func runService(home string) error {
	if err := prepareHome(home); err != nil {
		return err
	}
	log, err := os.OpenFile(filepath.Join(home, masterLog), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	os.Stderr = log // a service has none
	s := &service{home: home, log: slog.New(slog.NewTextHandler(log, nil))}
	if err := svc.Run("", s); err != nil { // the name counts only for services that share a process
		return app.Errorf(app.CodeInvalid, "cannot run as a service: %w", err).WithHint("the service manager starts it; gpm startup windows installs it")
	}
	return s.err
}

// service is what the service manager talks to.
type service struct {
	home string
	log  *slog.Logger
	err  error
}

// Execute implements svc.Handler.
func (s *service) Execute(_ []string, asked <-chan svc.ChangeRequest, say chan<- svc.Status) (specific bool, code uint32) {
	say <- svc.Status{State: svc.StartPending}
	lock, ok, err := lockHome(s.home)
	if err == nil && !ok {
		err = app.Errorf(app.CodeConflict, "cannot start the service: another gpm runs in %s", s.home)
	}
	if err != nil {
		s.err = err
		return true, master.ExitAlreadyRunning
	}
	defer lock.Close()
	table, err := master.NewTable(master.Options{Log: s.log, Home: s.home})
	if err != nil {
		s.err = err
		return true, 1
	}
	defer table.Close()
	unasked, err := onAsked(table.Stop)
	if err != nil {
		s.err = err
		return true, 1
	}
	defer unasked()
	ended := make(chan error, 1)
	cfg := daemonConfig(s.home, s.log)
	cfg.Host, cfg.Started = table, time.Now()
	go func() { ended <- daemon.Run(context.Background(), cfg) }()
	const accepts = svc.AcceptStop | svc.AcceptShutdown
	say <- svc.Status{State: svc.Running, Accepts: accepts}
	for {
		select {
		case s.err = <-ended:
			if s.err != nil {
				s.log.Error("The daemon has ended", "error", s.err)
				return true, 1 // so that the service manager starts it again
			}
			return false, 0
		case r := <-asked:
			switch r.Cmd {
			case svc.Interrogate:
				say <- r.CurrentStatus
			case svc.Stop, svc.Shutdown:
				say <- svc.Status{State: svc.StopPending, WaitHint: uint32(stopHint.Milliseconds())}
				table.Stop()
			}
		}
	}
}

// stopHint is how long the apps may take to end.
const stopHint = 2 * time.Minute
