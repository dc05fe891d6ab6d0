package master

import (
	"context"
	"errors"
	"fmt"

	"gpm/ipc/frame"
)

// Run returns errors.ErrUnsupported: master and daemon are one process on Windows.
func Run(context.Context, Config) error {
	return fmt.Errorf("cannot run a master of its own: %w", errors.ErrUnsupported)
}

// Inherited returns errors.ErrUnsupported, as there is no other process.
func Inherited() (*frame.Conn, error) {
	return nil, fmt.Errorf("cannot reach a master: %w", errors.ErrUnsupported)
}

// Trampoline returns errors.ErrUnsupported: the limits it sets do not exist here.
func Trampoline([]string) error {
	return fmt.Errorf("cannot set limits: %w", errors.ErrUnsupported)
}

// RaiseFiles does nothing: there is no such limit.
func RaiseFiles() error { return nil }
