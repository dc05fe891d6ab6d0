package pm2

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// MaxMessage bounds one message, in bytes. A list of a thousand apps with large
// environments is a few megabytes.
const MaxMessage = 64 << 20

// maxArgs is what four bits can count.
const maxArgs = 15

// frameVersion is the upper half of the first byte of a message.
const frameVersion = 1

// ErrFrame means that the peer does not speak this protocol.
var ErrFrame = errors.New("not a message of pm2's protocol")

// ErrTooLong means that a message is longer than the reader's limit.
var ErrTooLong = errors.New("message too long")

// Message is the arguments of one frame, each with its prefix: "s:" before text,
// "j:" before JSON, nothing before raw bytes.
//
// A frame is one byte, version<<4 | number of arguments, and then for each
// argument its length in four bytes, big-endian, and its bytes.
type Message [][]byte

// Text makes an argument of a string.
func Text(s string) []byte { return append([]byte("s:"), s...) }

// JSON makes an argument of any value.
func JSON(v any) ([]byte, error) {
	text, err := Encode(v)
	if err != nil {
		return nil, err
	}
	return append([]byte("j:"), text...), nil
}

// AppendMessage appends the frame of at most 15 arguments to dst.
func AppendMessage(dst []byte, args ...[]byte) []byte {
	args = args[:min(len(args), maxArgs)]
	dst = append(dst, frameVersion<<4|byte(len(args)))
	for _, a := range args {
		dst = binary.BigEndian.AppendUint32(dst, uint32(len(a)))
		dst = append(dst, a...)
	}
	return dst
}

// ReadMessage reads one frame of at most limit bytes. At the end of the stream it
// returns io.EOF, in the middle of a frame io.ErrUnexpectedEOF.
func ReadMessage(r io.Reader, limit int) (Message, error) {
	var head [1]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, err
	}
	if head[0]>>4 != frameVersion {
		return nil, fmt.Errorf("%w: it begins with byte 0x%02x", ErrFrame, head[0])
	}
	m := make(Message, head[0]&maxArgs)
	for i := range m {
		arg, err := readArg(r, limit)
		if err != nil {
			return nil, err
		}
		m[i], limit = arg, limit-len(arg)
	}
	return m, nil
}

// readArg grows its buffer with what arrives: a peer that announces 60 MB and
// sends nothing costs nothing.
func readArg(r io.Reader, limit int) ([]byte, error) {
	var size [4]byte
	if _, err := io.ReadFull(r, size[:]); err != nil {
		return nil, noEOF(err)
	}
	n := int64(binary.BigEndian.Uint32(size[:]))
	if n > int64(limit) {
		return nil, fmt.Errorf("%w: an argument of %d bytes, %d are left", ErrTooLong, n, limit)
	}
	var buf bytes.Buffer
	if _, err := io.CopyN(&buf, r, n); err != nil {
		return nil, noEOF(err)
	}
	return buf.Bytes(), nil
}

func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// text returns argument i as a string, whether it came as text or raw.
func (m Message) text(i int) (string, bool) {
	if i < 0 || i >= len(m) || bytes.HasPrefix(m[i], []byte("j:")) {
		return "", false
	}
	return string(bytes.TrimPrefix(m[i], []byte("s:"))), true
}

// decode reads argument i, which must be JSON, into v.
func (m Message) decode(i int, v any) error {
	if i < 0 || i >= len(m) || !bytes.HasPrefix(m[i], []byte("j:")) {
		return fmt.Errorf("%w: argument %d is no JSON", ErrFrame, i)
	}
	return json.Unmarshal(m[i][2:], v)
}
