package daemon

import (
	"errors"
	"os"
	"sync"
	"time"

	"gpm/app"
)

// inputs are the standard inputs of the instances that have one.
type inputs struct {
	mu   sync.Mutex // guards open; held over nothing that blocks
	open map[int]*os.File
}

// inputLimit is how long a process may take to read what it is sent.
const inputLimit = 5 * time.Second

// keep remembers the input of an instance's child, nil for one without.
func (i *inputs) keep(id int, stdin *os.File) {
	if stdin == nil {
		return
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.open == nil {
		i.open = map[int]*os.File{}
	}
	i.open[id] = stdin
}

// drop forgets and closes the input of a child that has ended. Its successor may be there already.
func (i *inputs) drop(id int, stdin *os.File) {
	if stdin == nil {
		return
	}
	i.mu.Lock()
	if i.open[id] == stdin {
		delete(i.open, id)
	}
	i.mu.Unlock()
	_ = stdin.Close()
}

// write sends text to a process, whole or with an error.
func (i *inputs) write(id int, spec app.Spec, text string) error {
	i.mu.Lock()
	file := i.open[id]
	i.mu.Unlock()
	switch {
	case file == nil && !spec.Stdin:
		return app.Errorf(app.CodeConflict, "cannot send to %q: its standard input is empty", spec.Name).
			WithHint("start it with --stdin, or gpm restart %s --stdin", spec.Name)
	case file == nil:
		return app.Errorf(app.CodeConflict, "cannot send to %q: it does not run", spec.Name)
	}
	if err := file.SetWriteDeadline(time.Now().Add(inputLimit)); err != nil && !errors.Is(err, os.ErrNoDeadline) {
		return app.Errorf(app.CodeInternal, "cannot send to %q: %w", spec.Name, err)
	}
	if _, err := file.WriteString(text); err != nil {
		return app.Errorf(app.CodeTimeout, "cannot send to %q: %w", spec.Name, err).WithHint("it may not read its input")
	}
	return nil
}
