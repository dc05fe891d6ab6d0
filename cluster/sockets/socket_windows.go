package sockets

import (
	"errors"
	"fmt"
	"net/netip"
	"syscall"
	"time"
)

// Windows passes no descriptors: nothing here works.

const balances = false

const errInvalid = syscall.EINVAL

var (
	errNoIPv6      = errors.New("no IPv6")
	errUnsupported = fmt.Errorf("sockets cannot be shared on Windows: %w", errors.ErrUnsupported)
)

type role uint8

const (
	alone role = iota
	founding
	joining
)

// Accept is not supported.
func Accept(int) (int, error) { return -1, errUnsupported }

// Drain is not supported.
func Drain(int, func(int) error) (int, error) { return 0, errUnsupported }

// Retire is not supported.
func Retire(int, time.Duration, <-chan struct{}, func(int) error) error { return errUnsupported }

func openInet(Address, bind, role, int) (int, error) { return -1, errUnsupported }

func listenUnix(Address, int) (int, error) { return -1, errUnsupported }

func localAddr(int) (netip.AddrPort, bool, error) { return netip.AddrPort{}, false, errUnsupported }

func attach(int, []Insn) error { return errUnsupported }

func attachTurns(int, order, []int) error { return errUnsupported }

func queue(int) (waiting, limit int, err error) { return 0, 0, errUnsupported }

func setNonblock(int) error { return errUnsupported }

func closeFD(fd int) error { return syscall.Close(syscall.Handle(fd)) }

// SetBlocking is not supported.
func SetBlocking(int) error { return errUnsupported }

func execve(string, []string, []string) error { return errUnsupported }

func dup(int) (int, error) { return -1, errUnsupported }
