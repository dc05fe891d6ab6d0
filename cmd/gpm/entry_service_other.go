//go:build !windows

package main

import (
	"errors"
	"fmt"
)

// runService is for Windows: elsewhere a service is a master.
func runService(string) error {
	return fmt.Errorf("cannot run as a Windows service: %w", errors.ErrUnsupported)
}
