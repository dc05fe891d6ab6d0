package master

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A master becomes another program in place: it writes what it keeps into a memfd and executes that
// program, which reads it. The pid stays, so its children stay its children, and so does every descriptor that
// is not close-on-exec. It happens between two daemons, when nothing is on its way. The program before is kept
// open until a daemon of the new one serves; else the master becomes that one again.
//
// A SIGTERM in the few milliseconds before the new program listens to signals ends it: Go lets nobody block that one. A
// guard then starts another master, which finds everything as it was: nothing is stopped, and nothing is without a master.

const (
	checkTime = 20 * time.Second // for the new program to read the table
	probation = 30 * time.Second // for its daemon to serve
)

// handover is a table on its way. Fields may be added; what an older program could not read needs a new version.
type handover struct {
	Version   int               `json:"version"`
	Seq       uint64            `json:"seq"`
	Children  []carried         `json:"children"`
	Held      map[string]int    `json:"held"`
	Notes     map[string][]byte `json:"notes"`
	Before    int               `json:"before,omitempty"` // descriptor of the program to return to
	Guard     int               `json:"guard,omitempty"`  // descriptor by which to dismiss it
	FileLimit *Rlimit           `json:"file_limit,omitempty"`
}

// carried is one child with its descriptors.
type carried struct {
	Child
	Seq  uint64 `json:"seq,omitempty"` // order of its exit
	Pipe [3]int `json:"pipe"`          // stdout, stderr, stdin
}

// ReadableTables are the versions of a handover that this program can read and write.
func ReadableTables() []int { return []int{tableVersion} }

const tableVersion = 1

// Upgrade implements [Host].
func (t *Table) Upgrade(_ context.Context, path string) error {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("cannot open %q: %w", path, err)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	closeFDs(t.images.next)
	t.images.next = fd
	return nil
}

// turn becomes another program when the daemon asked for it, or the one before when no daemon of this one came
// up. It returns when there is no reason to, or when it failed: again tells whether a daemon should start at once.
func (m *master) turn(end daemonEnd) (again bool) {
	m.table.mu.Lock()
	p := m.table.images
	m.table.images = images{}
	m.table.mu.Unlock()
	defer closeFDs(p.next, p.before)
	if f := m.facts(); f.stopping || f.shutdown {
		return false
	}
	if p.next > 0 {
		m.note(m.advance(p.next))
		return true
	}
	if p.before > 0 {
		m.note(end.whyNotUp())
		m.table.log.Error("Return to the program before", "failed", m.become(p.before, 0))
	}
	return false
}

// note leaves the reason for the daemon of the program that stays.
func (m *master) note(why error) {
	m.table.log.Error("Upgrade failed", "error", why)
	_ = m.table.Note(context.Background(), map[string][]byte{RollbackNote: []byte(why.Error())})
}

func (end daemonEnd) whyNotUp() error {
	switch {
	case end.err != nil:
		return fmt.Errorf("its daemon cannot be started: %w", end.err)
	case end.late:
		return fmt.Errorf("its daemon did not come up within %s", end.up.Round(time.Second))
	case end.exit.Signal != 0:
		return fmt.Errorf("its daemon was ended by signal %d before it served", end.exit.Signal)
	}
	return fmt.Errorf("its daemon ended with exit code %d before it served", end.exit.Code)
}

// advance becomes a new program and keeps this one to return to.
func (m *master) advance(next int) error {
	this, err := unix.Open(Self(), unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("cannot keep the present program: %w", err)
	}
	defer unix.Close(this)
	_ = m.table.Note(context.Background(), map[string][]byte{RollbackNote: nil})
	return m.become(next, this)
}

// become executes a program in this process, once it has shown that it can read the table. It returns an error or not at all.
func (m *master) become(program, before int) error {
	guard, err := m.guard()
	if err != nil {
		return err
	}
	defer dismiss(guard)
	table, err := m.table.carry(before, guard)
	if err != nil {
		return fmt.Errorf("cannot write the table: %w", err)
	}
	defer unix.Close(table)
	path := "/proc/self/fd/" + strconv.Itoa(program)
	if err := m.check(path, table); err != nil {
		return err
	}
	for _, fd := range append(m.table.descriptors(), table, before, guard, m.cfg.Lock) {
		keepOnExec(fd)
	}
	defer inheritNothing()
	words := append(m.cfg.Argv[:len(m.cfg.Argv):len(m.cfg.Argv)], "--resume", fmt.Sprintf("%d:%d", table, m.cfg.Lock))
	if isClosed(m.table.signals.stopping) {
		return errors.New("the master was asked to end")
	}
	return fmt.Errorf("cannot execute it: %w", syscall.Exec(path, words, os.Environ()))
}

// check has the program read the table.
func (m *master) check(path string, table int) error {
	out, err := unix.Open(m.cfg.Output, unix.O_WRONLY|unix.O_APPEND|unix.O_CREAT|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return fmt.Errorf("cannot open %q: %w", m.cfg.Output, err)
	}
	defer unix.Close(out)
	l := &launch{
		Spawn: Spawn{Path: path, Argv: []string{m.cfg.Argv[0], "master", "--check"}, Env: os.Environ(), Dir: "/"},
		files: []int{table, out, out},
	}
	c, err := m.start(l)
	if err != nil {
		return fmt.Errorf("cannot start it: %w", err)
	}
	limit := time.AfterFunc(checkTime, func() { m.kill(c) })
	defer limit.Stop()
	exit := <-c.daemon
	m.table.mu.Lock()
	m.table.forget(c)
	m.table.mu.Unlock()
	if exit.Code != 0 {
		return fmt.Errorf("it cannot take over the table of processes (exit code %d)", exit.Code)
	}
	return nil
}

// carry writes the table into a memfd.
func (t *Table) carry(before, guard int) (fd int, err error) {
	t.mu.Lock()
	_, notes := t.kept.inventory()
	h := handover{Version: tableVersion, Seq: t.seq, Held: t.kept.descriptors(), Notes: notes, Before: before, Guard: guard, FileLimit: t.files.original}
	for _, c := range t.children {
		h.Children = append(h.Children, carried{c.public(), c.seq, [3]int{c.pipes.out, c.pipes.err, c.pipes.in}})
	}
	data, err := json.Marshal(h)
	t.mu.Unlock()
	if err != nil {
		return 0, err
	}
	if fd, err = unix.MemfdCreate("gpm-table", unix.MFD_CLOEXEC); err != nil {
		return 0, err
	}
	if err := writeAll(fd, data); err != nil {
		unix.Close(fd)
		return 0, err
	}
	return fd, nil
}

func writeAll(fd int, data []byte) error {
	for at := 0; at < len(data); {
		n, err := unix.Pwrite(fd, data[at:], int64(at))
		if err != nil {
			return err
		}
		at += n
	}
	return nil
}

func readHandover(fd int) (h handover, err error) {
	f := os.NewFile(uintptr(fd), "table")
	data, err := io.ReadAll(io.NewSectionReader(f, 0, 1<<40))
	if err != nil {
		return h, fmt.Errorf("cannot read the table: %w", err)
	}
	if err := json.Unmarshal(data, &h); err != nil {
		return h, fmt.Errorf("cannot read the table: %w", err)
	}
	if h.Version != tableVersion {
		return h, fmt.Errorf("cannot read the table: its version is %d, and this gpm knows %d", h.Version, tableVersion)
	}
	return h, f.Close()
}

// CheckTable says whether this program could take over the table at standard input.
func CheckTable() error {
	_, err := readHandover(int(os.Stdin.Fd()))
	return err
}

// descriptors are all that must stay open.
func (t *Table) descriptors() []int {
	t.mu.Lock()
	defer t.mu.Unlock()
	var all []int
	for _, fd := range t.kept.descriptors() {
		all = append(all, fd)
	}
	for _, c := range t.children {
		all = append(all, c.pipes.out, c.pipes.err, c.pipes.in)
	}
	return all
}

// resume takes over what an earlier program of this process has left at a descriptor.
func (t *Table) resume(fd int) (guard int, err error) {
	h, err := readHandover(fd)
	if err != nil {
		return 0, err
	}
	if h.FileLimit != nil { // it was raised, for more are open than the limit of a child
		t.files.original = h.FileLimit
		_ = RaiseFiles()
	}
	t.mu.Lock()
	t.seq, t.images.before = h.Seq, h.Before
	t.mu.Unlock()
	for name, fd := range h.Held {
		t.kept.hold(name, fd)
	}
	t.kept.note(h.Notes)
	for _, c := range h.Children {
		t.bringBack(c)
	}
	t.signals.released <- struct{}{} // orphans may have ended meanwhile
	return h.Guard, nil
}

// bringBack puts a child into the table again. The zombie of one that ended meanwhile is still there.
func (t *Table) bringBack(was carried) {
	c := &child{
		key: was.Key, started: was.Started, adopted: was.Adopted, seq: was.Seq,
		pipes: pipes{was.Pipe[0], was.Pipe[1], was.Pipe[2]}, proc: process{pid: was.PID, start: was.Start},
	}
	if was.Exit != nil {
		c.phase, c.exit = ended, *was.Exit
	} else if fd, err := unix.PidfdOpen(was.PID, 0); err == nil && !t.opt.sweep {
		c.proc.pidfd = fd
	}
	t.mu.Lock()
	t.children[c.key] = c
	if c.phase != ended || !c.adopted {
		t.byPID[was.PID] = c
	}
	t.mu.Unlock()
	if c.phase != ended {
		t.begin(c)
	}
}

// keepOnExec lets a descriptor pass an exec; 0 means none.
func keepOnExec(fd int) {
	if fd > 0 {
		_, _ = unix.FcntlInt(uintptr(fd), unix.F_SETFD, 0)
	}
}

// Self is how a child of a master names the master's own program, also when another one has taken its place on disk.
func Self() string { return "/proc/self/exe" }
