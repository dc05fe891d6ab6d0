//go:build !linux

package agent

import (
	"context"
	"fmt"
)

// wakeInspector: only Linux tells which port another process opened.
func wakeInspector(context.Context, int) (string, error) {
	return "", fmt.Errorf("%w: only on Linux", ErrNoInspector)
}
