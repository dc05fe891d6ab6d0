package master

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"gpm/ipc/frame"
)

// A master that is killed leaves its children to the next one, which adopts them. What it kept for them, sockets and
// channels, would be lost with it, but for the copy that its daemon has: the next master fetches that over a socket in
// the home, before it starts a daemon of its own. Who starts it does not matter: the daemon, an init system, a command.

// successionSocket is the name of the socket.
const successionSocket = "succession.sock"

// fetchLimit bounds how long a new master waits for what a daemon has that is there, but does not answer.
const fetchLimit = 5 * time.Second

// Succession is where a daemon waits for the heir of its master.
type Succession struct {
	fd   int
	path string
}

// bequest is one message to the heir: a descriptor, or, as the last one, all notes.
type bequest struct {
	Name  string            `json:"name,omitempty"` // of the descriptor that comes with it; "" = the last message
	Notes map[string][]byte `json:"notes,omitempty"`
}

// OpenSuccession opens the socket, long before it is needed: an heir may come before the daemon knows that its master
// is gone.
func OpenSuccession(home string) (*Succession, error) {
	path := filepath.Join(home, successionSocket)
	if err := removeSocket(path); err != nil {
		return nil, fmt.Errorf("cannot listen at %s: %w", path, err)
	}
	fd, err := atSocket(path, func(fd int, at unix.Sockaddr) error {
		return errors.Join(unix.Fchmod(fd, 0o600), unix.Bind(fd, at), unix.Listen(fd, 1))
	})
	if err != nil {
		return nil, fmt.Errorf("cannot listen at %s: %w", path, err)
	}
	return &Succession{fd, path}, nil
}

func removeSocket(path string) error {
	if err := unix.Unlink(path); !errors.Is(err, unix.ENOENT) {
		return err
	}
	return nil
}

// atSocket makes a socket and does something with it and the address of a path, also of a long one.
func atSocket(path string, do func(fd int, at unix.Sockaddr) error) (fd int, err error) {
	dir, err := unix.Open(filepath.Dir(path), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	defer unix.Close(dir)
	if fd, err = unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0); err != nil {
		return -1, err
	}
	if err := do(fd, &unix.SockaddrUnix{Name: "/proc/self/fd/" + strconv.Itoa(dir) + "/" + filepath.Base(path)}); err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// Close ends the waiting. The socket's file goes too.
func (s *Succession) Close() error {
	if s == nil {
		return nil
	}
	return errors.Join(removeSocket(s.path), unix.Close(s.fd))
}

// Bequeath waits for the heir of the master, which is gone, and gives it all that the master kept. It closes s.
func (l *Link) Bequeath(s *Succession, limit time.Duration) error {
	if s == nil {
		return nil
	}
	err := errors.New("no other master came")
	for end := time.Now().Add(limit); ; {
		heir, why := s.await(end)
		if heir == nil {
			return errors.Join(fmt.Errorf("cannot pass on what the master kept: %w", cmp.Or(why, err)), s.Close())
		}
		overdue := time.AfterFunc(time.Until(end), func() { heir.Close() })
		err = l.copy.give(heir)
		overdue.Stop()
		heir.Close()
		if err == nil { // else it was not one, or is dead: the next
			return s.Close()
		}
	}
}

// await returns the next that comes, or nothing when the time is over.
func (s *Succession) await(end time.Time) (*frame.Conn, error) {
	wait := []unix.PollFd{{Fd: int32(s.fd), Events: unix.POLLIN}}
	for wait[0].Revents == 0 {
		left := time.Until(end)
		if left <= 0 {
			return nil, nil
		}
		if _, err := unix.Poll(wait, int(left.Milliseconds())+1); err != nil && !errors.Is(err, unix.EINTR) {
			return nil, err
		}
	}
	fd, _, err := unix.Accept4(s.fd, unix.SOCK_CLOEXEC)
	if err != nil {
		return nil, err
	}
	conn, err := frame.New(fd)
	if err != nil {
		return nil, errors.Join(err, unix.Close(fd))
	}
	return conn, nil
}

// give sends everything. What is in the socket reaches the heir also when the daemon has ended.
func (e *estate) give(conn *frame.Conn) error {
	for name, fd := range e.descriptors() {
		if err := send(conn, bequest{Name: name}, []int{fd}); err != nil {
			return fmt.Errorf("cannot pass on %q: %w", name, err)
		}
	}
	_, notes := e.inventory()
	if err := send(conn, bequest{Notes: notes}, nil); err != nil {
		return fmt.Errorf("cannot pass on the notes: %w", err)
	}
	return nil
}

// inherit fetches what the daemon of a dead master has, if there is one: all of it or nothing.
func (t *Table) inherit(home string) error {
	path := filepath.Join(home, successionSocket)
	fd, err := atSocket(path, func(fd int, at unix.Sockaddr) error { return unix.Connect(fd, at) })
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ECONNREFUSED) {
		return nil // there is none
	}
	if err != nil {
		return fmt.Errorf("cannot ask for what the last master kept: %w", err)
	}
	conn, err := frame.New(fd)
	if err != nil {
		return errors.Join(err, unix.Close(fd))
	}
	limit := time.AfterFunc(fetchLimit, func() { conn.Close() })
	defer limit.Stop()
	defer conn.Close()
	got := newEstate()
	if err := got.receive(conn); err != nil {
		got.close()
		return fmt.Errorf("cannot fetch what the last master kept: %w", err)
	}
	for name, fd := range got.held {
		t.keep(name, fd)
	}
	delete(got.notes, RollbackNote) // of an upgrade of that one
	t.kept.note(got.notes)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.heir = true
	return nil
}

func (e *estate) receive(conn *frame.Conn) error {
	for {
		m, err := conn.Read()
		var b bequest
		if err == nil {
			err = json.Unmarshal(m.Payload, &b)
		}
		if err == nil && b.Name != "" && len(m.FDs) == 1 {
			e.hold(b.Name, m.FDs[0])
			continue
		}
		closeFDs(m.FDs...)
		if err == nil && b.Name != "" {
			err = fmt.Errorf("%q came with %d descriptors: %w", b.Name, len(m.FDs), os.ErrInvalid)
		}
		if err == nil {
			e.note(b.Notes)
		}
		return err
	}
}
