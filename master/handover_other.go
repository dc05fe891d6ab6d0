//go:build !linux

package master

import (
	"context"
	"errors"
	"fmt"
	"os"
)

// ReadableTables is empty: a master cannot become another program here.
func ReadableTables() []int { return nil }

// Upgrade implements [Host].
func (*Table) Upgrade(context.Context, string) error {
	return fmt.Errorf("cannot upgrade in place on this system: %w", errors.ErrUnsupported)
}

// CheckTable returns errors.ErrUnsupported.
func CheckTable() error { return errors.ErrUnsupported }

func (*Table) resume(int) (guard int, err error) { return 0, errors.ErrUnsupported }

// Self is how a child of a master names the master's own program.
func Self() string {
	path, err := os.Executable()
	if err != nil {
		return os.Args[0]
	}
	return path
}

// StandGuard has nobody to wait for.
func StandGuard() (died bool) { return false }
