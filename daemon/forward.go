package daemon

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"gpm/app"
	"gpm/logs"
	"gpm/master"
)

// forwarders hand the lines of apps with a log driver on, each file once.
type forwarders struct {
	d     *Daemon
	parts sync.WaitGroup
	ctx   context.Context // ends with the daemon
	end   func()

	mu      sync.Mutex // guards the rest; held over nothing that blocks
	running map[string]forwarding
	senders map[app.LogDriver]func(app.LogLine) error
}

// forwarding is one file that is forwarded.
type forwarding struct {
	driver app.LogDriver
	stop   func(deleted bool) // without waiting
}

// restLimit is how long what an app printed last may take to be handed on after the app was deleted.
const restLimit = 5 * time.Second

func newForwarders(d *Daemon) *forwarders {
	f := &forwarders{d: d, running: map[string]forwarding{}, senders: map[app.LogDriver]func(app.LogLine) error{}}
	f.ctx, f.end = context.WithCancel(context.Background())
	return f
}

// close ends all of them; the next daemon goes on.
func (f *forwarders) close() {
	f.end()
	f.parts.Wait()
}

// tend makes sure that a file is forwarded as its app wishes, before the next byte is written to it.
func (f *forwarders) tend(src logs.Source, spec app.Spec) {
	f.mu.Lock()
	defer f.mu.Unlock()
	have, running := f.running[src.Path]
	if src.Path == "" || have.driver == spec.Log.Driver {
		return
	}
	if running {
		have.stop(true)
		delete(f.running, src.Path)
	}
	if spec.Log.Driver == "" || f.ctx.Err() != nil {
		return
	}
	send, err := f.sender(spec.Log.Driver)
	if err != nil {
		f.say(src, spec.Log.Driver, err)
		return
	}
	w, err := logs.NewForwarder(f.d.pump, src, logOwner(spec), send, func(err error) { f.say(src, spec.Log.Driver, err) })
	if err != nil {
		f.say(src, spec.Log.Driver, err)
		return
	}
	f.running[src.Path] = forwarding{spec.Log.Driver, f.start(w)}
}

// start runs a forwarder until it is stopped or the daemon ends.
func (f *forwarders) start(w *logs.Forwarder) (stop func(deleted bool)) {
	// With the daemon, rest ends first: half a line is not handed on before the next daemon has all of it.
	rest, dropRest := context.WithCancel(f.ctx)
	follow, stopFollowing := context.WithCancel(rest)
	deleted := make(chan struct{})
	f.parts.Go(func() {
		defer dropRest()
		w.Run(follow, rest)
		select {
		case <-deleted:
			if err := w.Forget(); err != nil {
				f.d.cfg.Log.Warn("Cannot forget how far a log was handed on", "err", err)
			}
		default:
		}
	})
	return func(gone bool) {
		if gone {
			close(deleted)
		}
		time.AfterFunc(restLimit, dropRest)
		stopFollowing()
	}
}

// forget ends the forwarding of the files of an app that is deleted.
func (f *forwarders) forget(paths ...string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, path := range paths {
		if have, running := f.running[path]; running {
			have.stop(true)
			delete(f.running, path)
		}
	}
}

// sender returns the way to a driver, made at its first use. Called with mu held.
func (f *forwarders) sender(driver app.LogDriver) (func(app.LogLine) error, error) {
	if send := f.senders[driver]; send != nil {
		return send, nil
	}
	var send func(app.LogLine) error
	switch driver {
	case app.Journald:
		send = logs.NewJournald(logs.JournalSocket).Send
	case app.Syslog:
		send = logs.NewSyslog(logs.SyslogSocket).Send
	case app.DriverOut:
		file, err := f.d.foreground()
		if err != nil {
			return nil, err
		}
		send = logs.NewPrinter(file).Send
	default:
		return nil, fmt.Errorf("there is no log driver %q", driver)
	}
	f.senders[driver] = send
	return send, nil
}

// foreground returns the standard output of the master, unless that is gpm's own log.
func (d *Daemon) foreground() (*os.File, error) {
	ctx, cancel := context.WithTimeout(context.Background(), noteLimit)
	defer cancel()
	file, err := d.cfg.Host.Take(ctx, master.StdoutName)
	if err != nil {
		return nil, fmt.Errorf("gpm's own standard output is not known: %w", err)
	}
	now, err := file.Stat()
	log, logErr := os.Stat(filepath.Join(d.cfg.Home, "master.log"))
	if err == nil && logErr == nil && os.SameFile(now, log) {
		file.Close()
		return nil, fmt.Errorf("gpm runs in the background; gpm logs and gpm runtime print what apps print")
	}
	return file, err
}

// say makes an event of a driver that does not take lines, or does again.
func (f *forwarders) say(src logs.Source, driver app.LogDriver, err error) {
	reason := fmt.Sprintf("hands the log on to %s again", driver)
	if err != nil {
		reason = fmt.Sprintf("cannot hand the log on to %s, it waits in %s: %v", driver, src.Path, err)
		f.d.cfg.Log.Warn("Cannot hand a log on", "app", src.Name, "driver", driver, "err", err)
	}
	f.d.journal.Event(app.Event{Kind: app.EventLog, ID: src.ID, Name: src.Name, Reason: reason})
}
