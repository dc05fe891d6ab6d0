package sockets

import (
	"errors"
	"testing"

	"golang.org/x/sys/unix"
)

// TestTurnsAreExact: where eBPF is permitted, connections go to the live slots one after the other.
func TestTurnsAreExact(t *testing.T) {
	g := open(t, loopback, 0, 1, 2, 3)
	err := attachTurns(g.fds[0], g.order, []int{0, 2, 3})
	if errors.Is(err, unix.EPERM) {
		t.Skip("eBPF is not permitted: ", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	if got := dial(t, g, 63); got[0] != 21 || got[2] != 21 || got[3] != 21 {
		t.Errorf("63 connections were spread as %v", got)
	}
	if err := g.Steer([]int{1}, ByClient); err != nil { // classic BPF in its place
		t.Fatal(err)
	}
	if got := dial(t, g, 10); got[1] != 10 {
		t.Errorf("after another program: %v", got)
	}
}

// TestTurnsOfManySlots: the verifier takes the longest program.
func TestTurnsOfManySlots(t *testing.T) {
	g := open(t, loopback, 0)
	many := order{}
	for slot := range 1000 {
		many = append(many, slot)
	}
	if err := attachTurns(g.fds[0], many, many); err != nil && !errors.Is(err, unix.EPERM) {
		t.Error(err)
	}
}
