package master

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// guard starts the process that stands by while this one becomes another program: it waits at the pipe whose other end,
// returned, the next program closes by dismiss once it listens to signals. A pipe that ends without a word means that
// there is no master any more. 0 means that there is no guard.
func (m *master) guard() (fd int, err error) {
	if m.cfg.Guard.Path == "" {
		return 0, nil
	}
	out, err := unix.Open(m.cfg.Output, unix.O_WRONLY|unix.O_APPEND|unix.O_CREAT|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return 0, fmt.Errorf("cannot open %q: %w", m.cfg.Output, err)
	}
	defer unix.Close(out)
	var pipe [2]int
	if err := unix.Pipe2(pipe[:], unix.O_CLOEXEC); err != nil {
		return 0, fmt.Errorf("cannot make a pipe: %w", err)
	}
	defer unix.Close(pipe[0])
	c := m.cfg.Guard
	l := &launch{Spawn: Spawn{Path: c.Path, Argv: c.Argv, Env: os.Environ(), Dir: c.Dir}, files: []int{pipe[0], out, out}}
	p, err := m.start(l)
	if err != nil {
		unix.Close(pipe[1])
		return 0, fmt.Errorf("cannot start the guard: %w", err)
	}
	go func() { // when this program stays
		<-p.daemon
		m.table.mu.Lock()
		m.table.forget(p)
		m.table.mu.Unlock()
	}()
	return pipe[1], nil
}

// StandGuard waits at standard input and reports that the parent has died in becoming another program.
func StandGuard() (died bool) {
	var word [1]byte
	n, err := unix.Read(0, word[:])
	for errors.Is(err, unix.EINTR) {
		n, err = unix.Read(0, word[:])
	}
	return n == 0 && err == nil
}
