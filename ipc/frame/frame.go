// Package frame carries messages and open descriptors over a stream socket that
// was inherited, so that nobody else can reach it. One message is four bytes of
// length, big endian, then the payload; its descriptors travel with the first byte.
//
// It is a leaf: the standard library and x/sys only.
package frame

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"
)

// MaxPayload is the longest payload in bytes: well above the 2 MB an
// environment can have, and the inventory of 10,000 children.
const MaxPayload = 64 << 20

// MaxFDs is the number of descriptors one message may carry.
const MaxFDs = 16

// headerSize is the length prefix in bytes.
const headerSize = 4

// chunk bounds what is allocated ahead of the bytes that really arrive, so that
// a false length costs nothing.
const chunk = 256 << 10

var (
	// ErrTooLarge means that a message is longer than MaxPayload or carries
	// more than MaxFDs descriptors. When reading, the stream cannot be used further.
	ErrTooLarge = errors.New("message too large")
	// ErrFDsLost comes with a complete message whose descriptors this process could not
	// take, because it has too many open. The stream stays usable.
	ErrFDsLost = errors.New("descriptors lost: too many open files")
)

// Message is one frame. FDs are raw descriptors, close-on-exec when received;
// the receiver owns them, the sender keeps its own.
type Message struct {
	Payload []byte
	FDs     []int
}

// Conn is one end of the socket. Any number of goroutines may write, one may read.
type Conn struct {
	sock  socket
	write sync.Mutex // one frame at a time
}

// received is what one receive call brought.
type received struct {
	n    int
	fds  []int
	lost bool // the kernel discarded descriptors
}

// source is the receiving side of a socket.
type source interface {
	recv(p []byte) (received, error)
}

// Read returns the next message, or io.EOF at the end between two messages. An
// error other than ErrFDsLost means that the stream is of no more use.
func (c *Conn) Read() (Message, error) { return decode(&c.sock) }

// Write sends one message. When it fails before the first byte (too large, too
// many descriptors in flight) the stream stays usable; when it fails later the
// connection is closed, for the rest of the frame cannot follow.
func (c *Conn) Write(m Message) error {
	if len(m.Payload) > MaxPayload || len(m.FDs) > MaxFDs {
		return fmt.Errorf("cannot send %d bytes and %d descriptors: %w", len(m.Payload), len(m.FDs), ErrTooLarge)
	}
	buf := binary.BigEndian.AppendUint32(make([]byte, 0, headerSize+len(m.Payload)), uint32(len(m.Payload)))
	buf = append(buf, m.Payload...)
	c.write.Lock()
	defer c.write.Unlock()
	return c.send(buf, m.FDs)
}

func (c *Conn) send(buf []byte, fds []int) error {
	for sent := 0; sent < len(buf); {
		n, err := c.sock.send(buf[sent:], fds)
		if err != nil {
			if sent > 0 {
				c.Close()
			}
			return fmt.Errorf("cannot send a message: %w", err)
		}
		sent += n
		fds = nil // they went with the first byte
	}
	return nil
}

// Close closes the socket and wakes whoever reads or writes.
func (c *Conn) Close() error { return c.sock.close() }

// decode reads one message. Header and payload are received apart, because the
// kernel may join the end of one message with the start of the next in one
// receive, and then nothing tells whose the descriptors are.
func decode(src source) (Message, error) {
	var header [headerSize]byte
	var in inbox
	if err := in.fill(src, header[:]); err != nil {
		if in.read == 0 && errors.Is(err, io.EOF) {
			return Message{}, io.EOF
		}
		return Message{}, in.refuse(err)
	}
	size := int(binary.BigEndian.Uint32(header[:]))
	if size > MaxPayload {
		return Message{}, in.refuse(fmt.Errorf("%w: %d bytes", ErrTooLarge, size))
	}
	payload, err := in.payload(src, size)
	if err != nil {
		return Message{}, in.refuse(err)
	}
	if in.lost {
		closeFDs(in.fds)
		return Message{Payload: payload}, ErrFDsLost
	}
	return Message{Payload: payload, FDs: in.fds}, nil
}

// inbox gathers one message.
type inbox struct {
	read int
	fds  []int
	lost bool
}

func (in *inbox) payload(src source, size int) ([]byte, error) {
	var payload []byte
	for len(payload) < size {
		n := len(payload)
		payload = append(payload, make([]byte, min(chunk, size-n))...)
		if err := in.fill(src, payload[n:]); err != nil {
			return nil, err
		}
	}
	return payload, nil
}

// fill reads until p is full. Descriptors may only come with the first byte.
func (in *inbox) fill(src source, p []byte) error {
	for len(p) > 0 {
		r, err := src.recv(p)
		first := in.read == 0
		in.read += r.n
		in.fds = append(in.fds, r.fds...)
		in.lost = in.lost || r.lost
		switch {
		case err != nil:
			return err
		case r.n == 0:
			return io.EOF
		case len(r.fds) > 0 && !first:
			return errors.New("descriptors in the middle of a message")
		case len(in.fds) > MaxFDs:
			return fmt.Errorf("%w: %d descriptors", ErrTooLarge, len(in.fds))
		}
		p = p[r.n:]
	}
	return nil
}

// refuse closes the descriptors of a message that is not delivered.
func (in *inbox) refuse(err error) error {
	closeFDs(in.fds)
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return fmt.Errorf("cannot read a message: %w", err)
}
