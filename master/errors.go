package master

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
)

var (
	// ErrAlreadyRunning is what [Run] returns when the daemon found its home
	// owned by another daemon and there is nothing here to look after.
	ErrAlreadyRunning = errors.New("another gpm daemon owns this home")
	// ErrGone means that the master at the other end of a Link does not answer any more.
	ErrGone = errors.New("the master is gone")
	// ErrNotEnded means that a child still runs and so cannot be released.
	ErrNotEnded = errors.New("it has not ended")
	// ErrChildren means that a master with children cannot end.
	ErrChildren = errors.New("it has children")
	// errHung is why [Serve] ended when the daemon did not answer in time.
	errHung = errors.New("the daemon does not answer")
)

// sentinels are the errors without errno that keep their identity across the link.
func sentinels() map[string]error {
	return map[string]error{
		"not exist":   fs.ErrNotExist,
		"exist":       fs.ErrExist,
		"done":        os.ErrProcessDone,
		"not ended":   ErrNotEnded,
		"children":    ErrChildren,
		"unsupported": errors.ErrUnsupported,
	}
}

// wireError is an error on the link: its text, and what errors.Is should find in it.
type wireError struct {
	Text  string `json:"text"`
	Errno int    `json:"errno,omitempty"`
	Name  string `json:"name,omitempty"` // of a sentinel
}

func toWire(err error) *wireError {
	if err == nil {
		return nil
	}
	w := &wireError{Text: err.Error()}
	if errno, ok := errors.AsType[syscall.Errno](err); ok {
		w.Errno = int(errno)
		return w
	}
	for name, sentinel := range sentinels() {
		if errors.Is(err, sentinel) {
			w.Name = name
		}
	}
	return w
}

// remoteError is a wireError after it has arrived.
type remoteError struct {
	text  string
	cause error
}

func (e *remoteError) Error() string { return e.text }
func (e *remoteError) Unwrap() error { return e.cause }

func (w *wireError) error() error {
	if w == nil {
		return nil
	}
	if w.Errno != 0 {
		return &remoteError{w.Text, syscall.Errno(w.Errno)}
	}
	return &remoteError{w.Text, sentinels()[w.Name]}
}
