package channel

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Where the channel is a named pipe, libuv sends the lines in frames, for a pipe has no way
// to carry a descriptor beside the bytes. A frame is a header of four little-endian words
// (flags, one that is ignored, the length of the data, one that is zero), then what
// describes a socket, if the flags say so, then the data. Frames and lines need not end together.
const (
	frameHeader = 16
	// frameSocket is the size of WSAPROTOCOL_INFOW and of the error that follows it.
	frameSocket = 628 + 4

	frameHasData    = 1
	frameHasSocket  = 2
	frameConnection = 4 // the socket is a connection, no listener
	frameFlags      = frameHasData | frameHasSocket | frameConnection
)

var errFrame = errors.New("not a frame of libuv")

// appendFrame adds the frame of some data to dst. A listening socket, when one goes with them, is
// what describes it.
func appendFrame(dst, socket []byte, data ...[]byte) []byte {
	size := 0
	for _, d := range data {
		size += len(d)
	}
	flags := uint32(frameHasData)
	if socket != nil {
		flags |= frameHasSocket
	}
	dst = binary.LittleEndian.AppendUint32(dst, flags)
	dst = binary.LittleEndian.AppendUint32(dst, 0)
	dst = binary.LittleEndian.AppendUint32(dst, uint32(size))
	dst = binary.LittleEndian.AppendUint32(dst, 0)
	dst = append(dst, socket...)
	for _, d := range data {
		dst = append(dst, d...)
	}
	return dst
}

// frames takes the lines out of a stream of frames.
type frames struct {
	head   []byte // the header and the socket of the frame begun, as far as they came
	inside bool   // the head is whole
	left   uint32 // bytes of data that are still to come
}

// feed takes the frames out of p, calls socket for each that is described, and moves the data to the front of p. A slice given to socket is
// valid during the call only.
func (f *frames) feed(p []byte, socket func([]byte)) (data []byte, err error) {
	data = p[:0]
	for len(p) > 0 {
		if !f.inside {
			if p, err = f.begin(p, socket); err != nil {
				return nil, err
			}
			continue
		}
		n := min(int64(len(p)), int64(f.left))
		data = append(data, p[:n]...)
		p = p[n:]
		f.left -= uint32(n)
		f.inside = f.left > 0
	}
	return data, nil
}

// begin takes what p has of a frame's head.
func (f *frames) begin(p []byte, socket func([]byte)) (rest []byte, err error) {
	size := frameHeader
	if len(f.head) >= frameHeader {
		size += frameSocket // the header alone would have been done with
	}
	n := min(len(p), size-len(f.head))
	f.head = append(f.head, p[:n]...)
	if len(f.head) < size {
		return p[n:], nil
	}
	flags, length := binary.LittleEndian.Uint32(f.head), binary.LittleEndian.Uint32(f.head[8:])
	zero := binary.LittleEndian.Uint32(f.head[12:])
	if flags&^frameFlags != 0 || zero != 0 || flags&frameHasData == 0 && length != 0 {
		return nil, fmt.Errorf("%w: flags %#x, length %d, %d", errFrame, flags, length, zero)
	}
	if flags&frameHasSocket != 0 {
		if size == frameHeader {
			return p[n:], nil
		}
		socket(f.head[frameHeader:])
	}
	f.head, f.left, f.inside = f.head[:0], length, length > 0
	return p[n:], nil
}
