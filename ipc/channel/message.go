package channel

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// Kind says what an Event is.
type Kind uint8

// The kinds.
const (
	App     Kind = iota // a message of the application
	Cluster             // a NODE_CLUSTER message
	Dropped             // a line was dropped; Err is ErrLineTooLong or ErrGarbage
)

// Event is something a process sent.
type Event struct {
	Kind Kind
	JSON []byte // the message, one valid JSON text; Dropped: how the line began. Valid during the call only
	FD   int    // a descriptor that came with it and is now the receiver's to close; -1: none
	Type string // Node's name for the descriptor
	Err  error  // why a line was dropped
}

const (
	prefixFast   = `{"cmd":"NODE_` // how Node begins every internal line
	prefixHandle = `{"cmd":"NODE_HANDLE"`
	bunMark      = 0x02
)

var (
	ackLine  = []byte(`{"cmd":"NODE_HANDLE_ACK"}`)
	nackLine = []byte(`{"cmd":"NODE_HANDLE_NACK"}`)
)

// parsed is a line understood.
type parsed struct {
	class class
	body  []byte // the message inside
	typ   string // of a handle
}

// class is what a line is.
type class uint8

const (
	classBlank    class = iota // nothing in it
	classApp                   //
	classCluster               //
	classHandle                // carries a descriptor; body is the message inside
	classAck                   //
	classNack                  //
	classInternal              // a cmd that is not known: means nothing
	classGarbage               // no JSON
)

// parse understands one line.
func parse(line []byte, f Framing) parsed {
	line = bytes.TrimSpace(line)
	if len(line) == 0 {
		return parsed{class: classBlank}
	}
	marked := f == Bun && line[0] == bunMark
	if marked {
		line = line[1:]
	}
	if !json.Valid(line) {
		return parsed{class: classGarbage, body: line}
	}
	cmd, internal := command(line)
	if f == Bun {
		internal = marked
	}
	if !internal {
		return parsed{class: classApp, body: line}
	}
	return parseInternal(cmd, line)
}

func parseInternal(cmd string, line []byte) parsed {
	switch cmd {
	case "NODE_CLUSTER":
		return parsed{class: classCluster, body: line}
	case "NODE_HANDLE_ACK":
		return parsed{class: classAck}
	case "NODE_HANDLE_NACK":
		return parsed{class: classNack}
	case "NODE_HANDLE":
		return parseHandle(line)
	}
	return parsed{class: classInternal, body: line}
}

func parseHandle(line []byte) parsed {
	var m struct {
		Type string          `json:"type"`
		Msg  json.RawMessage `json:"msg"`
	}
	if json.Unmarshal(line, &m) != nil || len(m.Msg) == 0 {
		// It must be answered all the same, or the sender waits for ever.
		return parsed{class: classHandle, body: []byte("null")}
	}
	return parsed{class: classHandle, body: m.Msg, typ: m.Type}
}

// command returns the cmd of a message and whether Node would call it internal: an object
// whose cmd is a string longer than "NODE_" that begins so. The line must be
// valid JSON. Node writes cmd first, which needs no decoding.
func command(line []byte) (cmd string, internal bool) {
	if rest, ok := bytes.CutPrefix(line, []byte(prefixFast)); ok {
		if i := bytes.IndexByte(rest, '"'); i > 0 && bytes.IndexByte(rest[:i], '\\') < 0 {
			return string(line[len(`{"cmd":"`) : len(prefixFast)+i]), true
		}
	}
	// An escape may hide the word, but then somebody hides it; still, look.
	if line[0] != '{' || !bytes.Contains(line, []byte(`cmd`)) && !bytes.Contains(line, []byte(`\u`)) {
		return "", false
	}
	if !bytes.Contains(line, []byte(`NODE_`)) && !bytes.Contains(line, []byte(`\u`)) {
		return "", false
	}
	return slowCommand(line)
}

// slowCommand decodes. A map, because a struct's fields match in any case.
func slowCommand(line []byte) (string, bool) {
	var m map[string]json.RawMessage
	var cmd string
	if json.Unmarshal(line, &m) != nil || json.Unmarshal(m["cmd"], &cmd) != nil {
		return "", false
	}
	return cmd, len(cmd) > len("NODE_") && cmd[:len("NODE_")] == "NODE_"
}

// encode makes the line of a message: its JSON text without newlines, then one. An empty
// line or one that is no JSON kills a Node process, so it is checked here.
func encode(text []byte, f Framing) ([]byte, error) {
	if !json.Valid(text) {
		return nil, fmt.Errorf("cannot send: %w", ErrInvalid)
	}
	line := make([]byte, 0, len(text)+2)
	if f == Bun {
		line = append(line, bunMark)
	}
	if bytes.IndexByte(text, '\n') < 0 {
		return append(append(line, text...), '\n'), nil
	}
	buf := bytes.NewBuffer(line)
	if err := json.Compact(buf, text); err != nil {
		return nil, fmt.Errorf("cannot send: %w", ErrInvalid)
	}
	return append(buf.Bytes(), '\n'), nil
}

// encodeHandle wraps a message that goes with a descriptor.
func encodeHandle(text []byte, typ string, f Framing) ([]byte, error) {
	if !json.Valid(text) {
		return nil, fmt.Errorf("cannot send: %w", ErrInvalid)
	}
	wrapped, err := json.Marshal(struct {
		Cmd  string          `json:"cmd"`
		Type string          `json:"type"`
		Msg  json.RawMessage `json:"msg"`
	}{"NODE_HANDLE", typ, text})
	if err != nil {
		return nil, fmt.Errorf("cannot send: %w", err)
	}
	return encode(wrapped, f)
}
