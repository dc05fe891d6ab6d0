package sockets

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// run interprets a program as the kernel does, for a packet's IP header and a random word.
func run(t interface{ Fatalf(string, ...any) }, program []Insn, header []byte, random uint32) uint32 {
	var a, x uint32
	var mem [16]uint32
	for pc := 0; pc < len(program); pc++ {
		in := program[pc]
		switch in.Code {
		case ldAbsW:
			a = random
			if in.K != adRandom {
				a = binary.BigEndian.Uint32(header[in.K-netOff:])
			}
		case ldAbsB:
			a = uint32(header[in.K-netOff])
		case ldMem:
			a = mem[in.K]
		case st:
			mem[in.K] = a
		case tax:
			x = a
		case andK:
			a &= in.K
		case mulK:
			a *= in.K
		case modK:
			a %= in.K
		case rshK:
			a >>= in.K
		case xorX:
			a ^= x
		case jump:
			pc += int(in.K)
		case jeqK:
			if a == in.K {
				pc += int(in.Jt)
			} else {
				pc += int(in.Jf)
			}
		case retK:
			return in.K
		case retA:
			return a
		default:
			t.Fatalf("code %#x", in.Code)
		}
	}
	t.Fatalf("ran off the end")
	return 0
}

func ipHeader(ip netip.Addr) []byte {
	h := make([]byte, 40)
	if ip.Is4() {
		h[0] = 0x45
		copy(h[12:], ip.AsSlice())
		return h
	}
	h[0] = 0x61
	copy(h[8:], ip.AsSlice())
	return h
}

func drawOrder(t *rapid.T) order {
	return rapid.SliceOfNDistinct(rapid.IntRange(0, 40), 1, 12, rapid.ID[int]).Draw(t, "order")
}

// TestProgramsChooseLiveSlotsOnly: whatever the order, the live slots, the packet and
// the random word.
func TestProgramsChooseLiveSlotsOnly(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o := drawOrder(t)
		live := rapid.SliceOfDistinct(rapid.IntRange(0, 45), rapid.ID[int]).Draw(t, "live")
		p := rapid.SampledFrom([]Policy{Evenly, ByClient}).Draw(t, "policy")
		prog := program(o, live, p)
		allowed := slices.DeleteFunc(slices.Clone(live), func(s int) bool { return !slices.Contains(o, s) })
		if len(allowed) == 0 {
			allowed = o
		}
		for i := range 50 {
			ip := netip.AddrFrom4([4]byte{10, 0, byte(i * 7), byte(i)})
			if i%2 == 1 {
				ip = netip.AddrFrom16([16]byte{0x20, 1, 15: byte(i)})
			}
			at := run(t, prog, ipHeader(ip), rapid.Uint32().Draw(t, "random"))
			if int(at) >= len(o) || !slices.Contains(allowed, o[at]) {
				t.Fatalf("index %d of %v; live %v", at, o, live)
			}
		}
	})
}

// TestDeadPairMovesItsOwnClientsOnly, also when the kernel's order has changed.
func TestDeadPairMovesItsOwnClientsOnly(t *testing.T) {
	full, live := order{0, 2, 4, 6}, []int{0, 2, 6}
	now := order{6, 0, 4, 2}
	before := program(full, full, ByClient)
	after := program(now, live, ByClient)
	moved := map[int]int{}
	for i := range 1000 {
		h := ipHeader(netip.AddrFrom4([4]byte{192, 168, byte(i >> 8), byte(i)}))
		was, is := full[run(t, before, h, 0)], now[run(t, after, h, 0)]
		if was != 4 && was != is {
			t.Fatalf("client %d of live slot %d moved to %d", i, was, is)
		}
		if was == 4 {
			moved[is]++
		}
	}
	for _, slot := range live {
		if moved[slot] < 40 { // of about 83
			t.Errorf("slot 4's clients went to %v", moved)
		}
	}
}

// TestAPairKeepsItsClients: whichever slot of a pair serves, and while the other one is open or not, its clients are those that it
// had, and nobody else's move.
func TestAPairKeepsItsClients(t *testing.T) {
	place := func(o order, live []int, client int) int {
		ip := netip.AddrFrom4([4]byte{10, 1, byte(client >> 8), byte(client)})
		return o[run(t, program(o, live, ByClient), ipHeader(ip), 0)]
	}
	for client := range 300 {
		was := place(order{0, 2, 4}, []int{0, 2, 4}, client)
		for _, c := range []struct {
			o    order
			live []int
		}{
			{order{0, 2, 4, 3}, []int{0, 2, 4}},    // a trial
			{order{0, 2, 4, 3}, []int{0, 2, 3, 4}}, // it takes over
			{order{0, 2, 4, 3}, []int{0, 3, 4}},    // the old one leaves
			{order{0, 3, 4}, []int{0, 3, 4}},
			{order{0, 3, 4, 2, 5, 1}, []int{1, 3, 5}},
		} {
			is := place(c.o, c.live, client)
			if is>>1 != was>>1 || !slices.Contains(c.live, is) {
				t.Fatalf("client %d of slot %d comes to %d with the order %v, of which %v serve", client, was, is, c.o, c.live)
			}
		}
	}
}

// TestClientsSpread: neighbouring addresses, and those that differ in one place only.
func TestClientsSpread(t *testing.T) {
	o := order{0, 2, 4, 6}
	prog := program(o, o, ByClient)
	for name, ip := range map[string]func(i int) netip.Addr{
		"last octet":     func(i int) netip.Addr { return netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}) },
		"second octet":   func(i int) netip.Addr { return netip.AddrFrom4([4]byte{10, byte(i), byte(i >> 8), 1}) },
		"IPv6 prefix":    func(i int) netip.Addr { return netip.AddrFrom16([16]byte{0x20, 1, byte(i >> 8), byte(i), 15: 1}) },
		"IPv6 interface": func(i int) netip.Addr { return netip.AddrFrom16([16]byte{0x20, 1, 14: byte(i >> 8), 15: byte(i)}) },
	} {
		var count [4]int
		for i := range 2000 {
			count[run(t, prog, ipHeader(ip(i)), 0)]++
		}
		for _, n := range count {
			if n < 400 || n > 600 {
				t.Errorf("%s: %v", name, count)
				break
			}
		}
	}
}

func TestOrderFollowsTheKernel(t *testing.T) {
	o := order{}.join(5).join(6).join(7).join(8)
	if o = o.leave(6); !slices.Equal(o, order{5, 8, 7}) {
		t.Errorf("the last fills the hole: %v", o)
	}
	if o = o.leave(9).leave(7).leave(5).leave(8); len(o) != 0 {
		t.Errorf("left: %v", o)
	}
}
