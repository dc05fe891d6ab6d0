//go:build unix

package master

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"gpm/ipc/frame"
)

const (
	defaultHeartbeat = 5 * time.Second
	drainTime        = time.Second      // for requests a dead daemon has left in the socket
	leaveTime        = 2 * time.Second  // for a daemon that has closed its link, to end
	lastWords        = 10 * time.Second // the same after it has called Shutdown
	endTime          = 5 * time.Second  // for children to end by SIGTERM when no daemon comes up
)

// leave is how long a daemon without a link may live on.
func leave(why error, shutdown bool) time.Duration {
	switch {
	case errors.Is(why, errHung):
		return 0
	case shutdown:
		return lastWords
	}
	return leaveTime
}

// master is one run of [Run].
type master struct {
	cfg    Config
	table  *Table
	daemon atomic.Pointer[child] // the present one
}

// Run is the life of the master process: it starts the daemon, serves it, starts
// it again whenever it ends or hangs, and ends itself after the daemon has
// called Shutdown and ended. SIGTERM, SIGINT and the end of ctx ask the daemon for that.
func Run(ctx context.Context, cfg Config) error {
	inheritNothing()
	debug.SetGCPercent(smallHeap)
	if err := becomeSubreaper(); err != nil {
		return fmt.Errorf("cannot become the reaper of orphans: %w", err)
	}
	if cfg.Heartbeat <= 0 {
		cfg.Heartbeat = defaultHeartbeat
	}
	table, err := NewTable(Options{Log: cfg.Log, Home: cfg.Home, Trampoline: cfg.Trampoline})
	if err != nil {
		return err
	}
	defer table.Close()
	guard := 0
	if cfg.Resume > 0 {
		if guard, err = table.resume(cfg.Resume); err != nil {
			return err
		}
	} else if err := table.inherit(cfg.Home); err != nil {
		table.log.Error("Clusters of the last master start anew", "err", err)
	}
	if fd, err := unix.FcntlInt(1, unix.F_DUPFD_CLOEXEC, 3); err == nil { // else there is none
		table.keep(StdoutName, fd)
	}
	m := &master{cfg: cfg, table: table}
	stop := m.listen(ctx)
	defer stop()
	dismiss(guard)
	return m.supervise()
}

// dismiss tells a guard that this program listens to signals, so that there is a master. 0 is none.
func dismiss(guard int) {
	if guard > 0 {
		_, _ = unix.Write(guard, []byte{1}) // one that was killed has nothing to hear
		unix.Close(guard)
	}
}

// smallHeap is the garbage collector's goal for a process that mostly waits and
// should stay small: a quarter more than what is in use.
const smallHeap = 25

// listen handles signals until the returned function is called. SIGHUP is caught
// so that children start with its default, and else means nothing here.
func (m *master) listen(ctx context.Context) (stop func()) {
	asked := make(chan os.Signal, 4)
	orphan := make(chan os.Signal, 1)
	done := make(chan struct{})
	signal.Notify(asked, unix.SIGTERM, unix.SIGINT, unix.SIGHUP, unix.SIGUSR2)
	signal.Notify(orphan, unix.SIGCHLD)
	var work sync.WaitGroup
	work.Go(func() { m.table.reapOrphans(orphan, done) })
	work.Go(func() { m.obey(ctx, asked, done) })
	work.Go(func() { newService().report(m.table, done) })
	return func() {
		signal.Stop(asked)
		signal.Stop(orphan)
		close(done)
		work.Wait()
	}
}

func (m *master) obey(ctx context.Context, asked <-chan os.Signal, done <-chan struct{}) {
	cancelled := ctx.Done()
	for {
		select {
		case s := <-asked:
			switch s {
			case unix.SIGHUP:
				continue
			case unix.SIGUSR2: // it is about the log files, see the daemon
				m.signal(unix.SIGUSR2)
				continue
			}
			m.table.log.Info("Asked to end", "signal", s)
		case <-cancelled:
			cancelled = nil
		case <-done:
			return
		}
		m.table.Stop()
	}
}

// supervise runs one daemon after the other.
func (m *master) supervise() error {
	var r restarts
	for {
		end := m.runDaemon()
		if m.turn(end) {
			continue
		}
		act, delay, err := r.next(end, m.facts())
		switch act {
		case finish:
			return err
		case endChildren:
			m.endChildren()
			return errors.New("cannot keep a daemon to end the children: they were ended without one")
		}
		m.table.log.Warn("Daemon ended", "code", end.exit.Code, "signal", end.exit.Signal,
			"error", end.err, "up", end.up, "again_in", delay)
		if m.cfg.maxDelay > 0 {
			delay = min(delay, m.cfg.maxDelay)
		}
		time.Sleep(delay)
	}
}

func (m *master) facts() facts {
	return facts{
		children: m.table.count(),
		stopping: isClosed(m.table.signals.stopping),
		shutdown: isClosed(m.table.signals.down),
	}
}

// runDaemon is the life of one daemon.
func (m *master) runDaemon() daemonEnd {
	begin := time.Now()
	d, conn, err := m.startDaemon()
	if err != nil {
		return daemonEnd{err: err}
	}
	m.daemon.Store(d)
	var late atomic.Bool
	limit := time.AfterFunc(cmp.Or(m.cfg.probation, probation), func() {
		if m.table.onProbation() {
			late.Store(true)
			m.kill(d)
		}
	})
	defer limit.Stop()
	served := make(chan error, 1)
	go func() { served <- Serve(context.Background(), conn, m.table, d.proc.pid, m.cfg.Heartbeat) }()
	exit := m.waitDaemon(d, conn, served)
	m.table.mu.Lock()
	m.table.forget(d)
	m.table.mu.Unlock()
	return daemonEnd{exit: exit, up: time.Since(begin), late: late.Load()}
}

// waitDaemon waits until a daemon has ended and the last it asked for is done.
// One without a link is of no use and gets some time to leave.
func (m *master) waitDaemon(d *child, conn *frame.Conn, served <-chan error) Exit {
	select {
	case exit := <-d.daemon:
		select {
		case <-served:
		case <-time.After(drainTime):
			conn.Close()
			<-served
		}
		return exit
	case why := <-served:
		if !errors.Is(why, io.EOF) {
			m.table.log.Warn("Lost the daemon", "error", why)
		}
		select {
		case exit := <-d.daemon:
			return exit
		case <-time.After(leave(why, m.facts().shutdown)):
		}
		m.kill(d)
		return <-d.daemon
	}
}

func (m *master) kill(d *child) { m.send(d, unix.SIGKILL) }

func (m *master) send(d *child, sig unix.Signal) {
	m.table.mu.Lock()
	defer m.table.mu.Unlock()
	if d.phase == running {
		_ = signalProcess(&d.proc, int(sig), false)
	}
}

// signal passes a signal on to the daemon, if there is one.
func (m *master) signal(sig unix.Signal) {
	if d := m.daemon.Load(); d != nil {
		m.send(d, sig)
	}
}

// startDaemon starts a daemon with the link as descriptor LinkFD.
func (m *master) startDaemon() (*child, *frame.Conn, error) {
	null, err := unix.Open(os.DevNull, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, nil, err
	}
	defer unix.Close(null)
	out, err := unix.Open(m.cfg.Output, unix.O_WRONLY|unix.O_APPEND|unix.O_CREAT|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return nil, nil, fmt.Errorf("cannot open %q: %w", m.cfg.Output, err)
	}
	defer unix.Close(out)
	conn, theirs, err := frame.Pair()
	if err != nil {
		return nil, nil, err
	}
	defer unix.Close(theirs)
	c := m.cfg.Daemon
	l := &launch{Spawn: Spawn{Path: c.Path, Argv: c.Argv, Env: c.Env, Dir: c.Dir}, files: []int{null, out, out, theirs}}
	d, err := m.start(l)
	if err != nil {
		conn.Close()
		return nil, nil, err
	}
	return d, conn, nil
}

// start starts a process of our own, whose exit goes to nobody else.
func (m *master) start(l *launch) (*child, error) {
	c := &child{daemon: make(chan Exit, 1)}
	if err := m.table.fork(c, l); err != nil {
		return nil, err
	}
	m.table.begin(c)
	return c, nil
}

// endChildren ends all children without a daemon's help: politely, then not.
func (m *master) endChildren() {
	exits := m.table.subscribe()
	defer m.table.unsubscribe(exits)
	for _, round := range []struct {
		sig  syscall.Signal
		wait time.Duration
	}{{unix.SIGTERM, endTime}, {unix.SIGKILL, endTime}} {
		m.signalAll(round.sig)
		if m.releaseUntil(exits.c, time.After(round.wait)) {
			return
		}
	}
	m.table.log.Error("Children are left behind", "count", m.table.count())
}

func (m *master) signalAll(sig syscall.Signal) {
	list, _ := m.table.List(context.Background())
	for _, c := range list.Children {
		_ = m.table.Signal(context.Background(), c.Key, int(sig), true)
	}
}

// releaseUntil releases children as they end, and reports that none is left.
func (m *master) releaseUntil(exits <-chan Exit, limit <-chan time.Time) bool {
	for m.table.count() > 0 {
		select {
		case e := <-exits:
			_ = m.table.Signal(context.Background(), e.Key, int(unix.SIGKILL), true) // the rest of its group
			_ = m.table.Release(context.Background(), e.Key)
		case <-limit:
			return false
		}
	}
	return true
}

// Inherited returns the daemon's end of the link to the master that started it,
// for [Dial]. It also raises the limit of open files if it may, for a daemon reads many pipes.
func Inherited() (*frame.Conn, error) {
	_ = RaiseFiles() // a container may forbid it, and most machines need no more
	conn, err := frame.New(LinkFD)
	if err != nil {
		return nil, fmt.Errorf("cannot reach the master (is this process its child?): %w", err)
	}
	return conn, nil
}
