package channel

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// Pair is not supported: Node's channel on Windows is a named pipe.
func Pair() (ours, theirs *os.File, err error) {
	return nil, nil, fmt.Errorf("cannot make a channel on Windows: %w", errors.ErrUnsupported)
}

func nonblocking(f *os.File) (*os.File, error) {
	f.Close()
	return nil, errors.ErrUnsupported
}

func send(uintptr, batch) (int, error) { return 0, errors.ErrUnsupported }

func receive(uintptr, []byte) (received, error) { return received{}, errors.ErrUnsupported }

func discard(uintptr, []byte) error { return errors.ErrUnsupported }

func closeFD(fd int) { syscall.Close(syscall.Handle(fd)) }
