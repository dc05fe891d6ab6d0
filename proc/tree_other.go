//go:build !linux && !darwin

package proc

import (
	"errors"
	"syscall"
)

// freezeSignal is not used: there are no members to freeze.
const freezeSignal = syscall.Signal(0)

// byGroup says that the process group (on Windows the job) is all we can reach:
// the master signals it, and members are not listed.
const byGroup = true

func (m member) signal(syscall.Signal) error { return errors.ErrUnsupported }

func isChildOf(pid, parent int) bool { return true }

func isInGroup(pid int, dir string) bool { return false }

func (t *Tree) find(func(member)) map[member]int { return nil }
