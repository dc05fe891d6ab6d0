package sockets

import "encoding/binary"

// Exact turns need a counter, which classic BPF does not have. Where the kernel lets gpm load eBPF programs (root, or
// CAP_BPF) the counter is the only element of a map; elsewhere connections are spread at random.

// einsn is one instruction of an eBPF program, struct bpf_insn of linux/bpf.h.
type einsn struct {
	code     uint8
	dst, src uint8
	off      int16
	imm      int32
}

// Operation codes, linux/bpf_common.h and linux/bpf.h.
const (
	stMemW   = 0x62 // *(u32 *)(dst + off) = imm
	ldImm64  = 0x18 // dst = imm, in two slots; from pseudoMap the map whose descriptor imm is
	movReg   = 0xbf
	movImm   = 0xb7
	addImm   = 0x07
	modImm   = 0x97
	call     = 0x85
	jeqImm   = 0x15
	jneImm   = 0x55
	atomicDW = 0xdb // on *(u64 *)(dst + off), with src
	exit     = 0x95

	pseudoMap   = 1
	fetchAdd    = 0x01 // BPF_ADD | BPF_FETCH: src is the value before
	lookupElem  = 1    // BPF_FUNC_map_lookup_elem
	framePtr    = 10
	bytesOfInsn = 8
)

// turns makes the program that gives each new connection to the next of the live slots. counter is the map's descriptor.
func turns(o order, live []int, counter int) []einsn {
	out := []einsn{
		{code: stMemW, dst: framePtr, off: -4}, // the key, 0
		{code: ldImm64, dst: 1, src: pseudoMap, imm: int32(counter)}, {},
		{code: movReg, dst: 2, src: framePtr},
		{code: addImm, dst: 2, imm: -4},
		{code: call, imm: lookupElem},
		{code: jeqImm, off: int16(3 + 3*len(live))}, // no such element: cannot be, but the verifier wants to know
		{code: movImm, dst: 1, imm: 1},
		{code: atomicDW, src: 1, imm: fetchAdd},
		{code: modImm, dst: 1, imm: int32(len(live))},
	}
	for turn, slot := range live {
		out = append(out,
			einsn{code: jneImm, dst: 1, off: 2, imm: int32(turn)},
			einsn{code: movImm, imm: int32(o.index(slot))}, einsn{code: exit})
	}
	return append(out, einsn{code: movImm, imm: int32(o.index(live[0]))}, einsn{code: exit})
}

// encode lays a program out as the kernel reads it.
func encode(program []einsn) []byte {
	out := make([]byte, 0, len(program)*bytesOfInsn)
	for _, in := range program {
		out = append(out, in.code, registers(in.dst, in.src))
		out = binary.NativeEndian.AppendUint16(out, uint16(in.off))
		out = binary.NativeEndian.AppendUint32(out, uint32(in.imm))
	}
	return out
}

// registers are bit fields of one byte, dst first in the machine's order.
func registers(dst, src uint8) byte {
	var probe [2]byte
	if binary.NativeEndian.PutUint16(probe[:], 1); probe[0] == 1 {
		return dst | src<<4
	}
	return src | dst<<4
}
