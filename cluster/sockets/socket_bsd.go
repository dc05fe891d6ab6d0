//go:build unix && !linux

package sockets

import (
	"errors"
	"fmt"
	"syscall"

	"golang.org/x/sys/unix"
)

// balances: the last socket of a group gets everything here, or nothing is promised.
const balances = false

func accept(listener int) (int, error) {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	fd, _, err := unix.Accept(listener)
	if err != nil {
		return -1, err
	}
	unix.CloseOnExec(fd)
	return fd, unix.SetNonblock(fd, true)
}

func attach(int, []Insn) error { return errors.ErrUnsupported }

func attachTurns(int, order, []int) error { return errors.ErrUnsupported }

func queue(int) (waiting, limit int, err error) {
	return 0, 0, fmt.Errorf("cannot read the queue: %w", errors.ErrUnsupported)
}

// unlisten has nothing to do: the order of a group matters nowhere else, and no other process has a copy for long.
func unlisten(int) error { return nil }

func listens(int) bool { return true }

// Settle has nothing to wait for: nothing is steered here.
func Settle() {}
