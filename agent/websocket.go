package agent

import (
	"bufio"
	"context"
	"crypto/rand"
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
)

// maxFrame bounds a message of the inspector; one holds a stack with its scopes.
const maxFrame = 16 << 20

// Opcodes and the mask bit of RFC 6455, section 5.2.
const (
	opContinuation = 0x0
	opText         = 0x1
	opClose        = 0x8
	opPing         = 0x9
	opPong         = 0xA
	finalBit       = 0x80
	maskBit        = 0x80
)

// websocket is as much of an RFC 6455 client as the inspector of Node needs: text
// messages over a loopback connection.
type websocket struct {
	conn net.Conn
	r    *bufio.Reader
}

// dialWebsocket opens address ("ws://127.0.0.1:1234/id"). The end of ctx breaks the
// connection; the returned function closes it.
func dialWebsocket(ctx context.Context, address string) (*websocket, func(), error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, nil, err
	}
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", u.Host)
	if err != nil {
		return nil, nil, err
	}
	stop := context.AfterFunc(ctx, func() { conn.Close() }) //nolint:errcheck // it only has to end
	closeAll := func() { stop(); conn.Close() }             //nolint:errcheck // nothing is unsent
	w := &websocket{conn, bufio.NewReader(conn)}
	if err := w.shakeHands(u); err != nil {
		closeAll()
		return nil, nil, fmt.Errorf("cannot open %s: %w", address, err)
	}
	return w, closeAll, nil
}

func (w *websocket) shakeHands(u *url.URL) error {
	var nonce [16]byte
	rand.Read(nonce[:]) //nolint:errcheck // never fails, says its documentation
	key := base64.StdEncoding.EncodeToString(nonce[:])
	req := &http.Request{Method: http.MethodGet, URL: u, Host: u.Host, Header: http.Header{
		"Connection": {"Upgrade"}, "Upgrade": {"websocket"},
		"Sec-Websocket-Version": {"13"}, "Sec-Websocket-Key": {key},
	}}
	if err := req.Write(w.conn); err != nil {
		return err
	}
	resp, err := http.ReadResponse(w.r, req)
	if err != nil {
		return err
	}
	defer resp.Body.Close() //nolint:errcheck // has no body
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	accepted := resp.Header.Get("Sec-Websocket-Accept") == base64.StdEncoding.EncodeToString(sum[:])
	if resp.StatusCode != http.StatusSwitchingProtocols || !accepted {
		return fmt.Errorf("not a WebSocket: %s", resp.Status)
	}
	return nil
}

// send writes v as one text message.
func (w *websocket) send(v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return w.write(opText, text)
}

// write sends a whole masked frame; the mask is zero, as it guards proxies, which
// loopback has none of.
func (w *websocket) write(op byte, payload []byte) error {
	frame := []byte{finalBit | op}
	switch n := len(payload); {
	case n < 126:
		frame = append(frame, maskBit|byte(n))
	case n <= 0xFFFF:
		frame = binary.BigEndian.AppendUint16(append(frame, maskBit|126), uint16(n))
	default:
		frame = binary.BigEndian.AppendUint64(append(frame, maskBit|127), uint64(n))
	}
	frame = append(frame, 0, 0, 0, 0)
	_, err := w.conn.Write(append(frame, payload...))
	return err
}

// receive returns the next text message, answering pings before it.
func (w *websocket) receive() ([]byte, error) {
	var text []byte
	for {
		op, final, payload, err := readFrame(w.r)
		if err != nil {
			return nil, err
		}
		switch op {
		case opClose:
			return nil, io.EOF
		case opPing:
			if err := w.write(opPong, payload); err != nil {
				return nil, err
			}
		case opText, opContinuation:
			if text = append(text, payload...); len(text) > maxFrame {
				return nil, errors.New("message too long")
			}
			if final {
				return text, nil
			}
		}
	}
}

// readFrame reads one unmasked frame of a server.
func readFrame(r *bufio.Reader) (op byte, final bool, payload []byte, err error) {
	var head [2]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return 0, false, nil, err
	}
	n, err := frameLength(r, head[1])
	if err != nil {
		return 0, false, nil, err
	}
	payload = make([]byte, n)
	_, err = io.ReadFull(r, payload)
	return head[0] & 0x0F, head[0]&finalBit != 0, payload, err
}

func frameLength(r io.Reader, short byte) (uint64, error) {
	long := make([]byte, 8)
	n := uint64(short)
	var err error
	switch short { // with the mask bit, which a server must not set, it is too long
	case 126:
		_, err = io.ReadFull(r, long[6:])
		n = binary.BigEndian.Uint64(long)
	case 127:
		_, err = io.ReadFull(r, long)
		n = binary.BigEndian.Uint64(long)
	}
	if err == nil && (n > maxFrame || short&maskBit != 0) {
		err = errors.New("not a frame of a WebSocket server")
	}
	return n, err
}
