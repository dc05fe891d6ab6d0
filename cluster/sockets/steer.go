package sockets

import (
	"cmp"
	"slices"
)

// Policy is how new connections are spread over the live slots.
type Policy uint8

// The policies.
const (
	Evenly   Policy = iota // each connection for itself: in turn where the kernel permits, else at random
	ByClient               // connections of one client address stay with one pair of slots, 2n and 2n+1: with the live one of them
)

// Insn is one instruction of a classic BPF program, struct sock_filter of linux/filter.h.
type Insn struct {
	Code   uint16
	Jt, Jf uint8
	K      uint32
}

// Operation codes, linux/bpf_common.h.
const (
	ldAbsW = 0x20 // A = word at K of the packet
	ldAbsB = 0x30 // A = byte at K
	ldMem  = 0x60 // A = scratch[K]
	st     = 0x02 // scratch[K] = A
	tax    = 0x07 // X = A
	andK   = 0x54
	mulK   = 0x24
	modK   = 0x94
	rshK   = 0x74
	xorX   = 0xac
	jeqK   = 0x15
	retK   = 0x06
	retA   = 0x16
	jump   = 0x05
)

// Places outside the packet's own bytes, linux/filter.h.
const (
	adRandom = 0xfffff000 + 56 // SKF_AD_OFF + SKF_AD_RANDOM
	netOff   = 0xfff00000      // SKF_NET_OFF: the IP header
)

// serving is which slots a group is steered to: the live ones that it has; with none of these all, whose
// queues then hold the connections.
func serving(o order, live []int) []int {
	live = slices.DeleteFunc(slices.Clone(live), func(s int) bool { return o.index(s) < 0 })
	if len(live) == 0 {
		live = slices.Clone(o)
	}
	slices.Sort(live)
	return live
}

// program makes the steer program of a group in classic BPF. live are the slots that serve.
// The result is never longer than the kernel's 4096 instructions for up to 1000 slots.
func program(o order, live []int, p Policy) []Insn {
	if len(o) == 0 {
		return nil
	}
	live = serving(o, live)
	if p == ByClient {
		return byClient(o, onePerPair(o, live), live)
	}
	return append([]Insn{{Code: ldAbsW, K: adRandom}}, choose(o, live)...)
}

// onePerPair picks a slot of each pair, the live one if there is one.
func onePerPair(o order, live []int) (out []int) {
	for _, slot := range slices.Sorted(slices.Values(o)) {
		switch last := len(out) - 1; {
		case last < 0 || out[last]>>1 != slot>>1:
			out = append(out, slot)
		case !slices.Contains(live, out[last]):
			out[last] = slot
		}
	}
	return out
}

// choose returns the index of slot A mod len(slots).
func choose(o order, slots []int) []Insn {
	out := []Insn{{Code: modK, K: uint32(len(slots))}}
	if slices.Equal(o, slots) {
		return append(out, Insn{Code: retA})
	}
	return append(append(out, branches(o, slots, slots)...), Insn{Code: retK, K: uint32(o.index(slots[0]))})
}

// branches returns the index of the A-th of slots when that one is wanted, and falls through
// otherwise.
func branches(o order, slots, wanted []int) (out []Insn) {
	for k, slot := range slots {
		if _, ok := slices.BinarySearchFunc(wanted, slot, cmp.Compare[int]); ok {
			out = append(out, Insn{Code: jeqK, Jf: 1, K: uint32(k)}, Insn{Code: retK, K: uint32(o.index(slot))})
		}
	}
	return out
}

// scratch holds the client's hash.
const scratch = 0

// byClient chooses among all pairs first, each of which one slot stands for, and among the live ones of these only when that
// slot is not live, so that a dead pair moves its own clients and nobody else's.
func byClient(o order, all, live []int) []Insn {
	live = slices.DeleteFunc(live, func(s int) bool { return !slices.Contains(all, s) })
	out := append(clientHash(), Insn{Code: st, K: scratch})
	if len(all) != len(live) {
		out = append(out, Insn{Code: modK, K: uint32(len(all))})
		out = append(out, branches(o, all, live)...)
		// Other bits than before, or the clients of a dead slot would all go to one other.
		out = append(out, Insn{Code: ldMem, K: scratch}, Insn{Code: rshK, K: 12})
	}
	return append(out, choose(o, live)...)
}

// clientHash leaves a mixed hash of the source address in A. An IPv4 client has the same
// hash whether it comes to an IPv4 socket or through a dual-stack one: both are IPv4 packets.
func clientHash() []Insn {
	v4 := []Insn{{Code: ldAbsW, K: netOff + 12}}
	v6 := []Insn{{Code: ldAbsW, K: netOff + 8}}
	for _, at := range []uint32{12, 16, 20} {
		v6 = append(v6, Insn{Code: mulK, K: golden}, Insn{Code: tax}, Insn{Code: ldAbsW, K: netOff + at}, Insn{Code: xorX})
	}
	out := []Insn{
		{Code: ldAbsB, K: netOff}, {Code: andK, K: 0xf0},
		{Code: jeqK, K: 0x60, Jf: uint8(len(v6) + 1)},
	}
	out = append(append(out, v6...), Insn{Code: jump, K: uint32(len(v4))})
	return append(append(out, v4...), mix()...)
}

// golden is 2^32 over the golden ratio, odd: it spreads neighbours.
const golden = 0x9e3779b1

// mix is the finish of a 32-bit hash: addresses differ in their last bits, and modulo looks
// at the last bits only.
func mix() (out []Insn) {
	for _, factor := range []uint32{golden, 0x85ebca6b} {
		out = append(out,
			Insn{Code: mulK, K: factor}, Insn{Code: tax}, Insn{Code: rshK, K: 15}, Insn{Code: xorX})
	}
	return out
}
