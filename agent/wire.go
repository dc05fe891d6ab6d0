package agent

import (
	"bufio"
	"encoding/json"
	"errors"
)

// maxLine bounds what one line of an app can make us keep. The longest honest
// one holds 200 paths.
const maxLine = 1 << 20

// command is a line to the agent. Without an ID nothing is answered.
type command struct {
	ID   uint64 `json:"id,omitempty"`
	Do   string `json:"do"`
	MS   int64  `json:"ms,omitempty"`
	File string `json:"file,omitempty"`
}

// message is a line from the agent: a greeting, a report, a part of an answer, or
// the end of one.
type message struct {
	Hello *Hello          `json:"hello"`
	Stats *Stats          `json:"stats"`
	ID    uint64          `json:"id"`
	Part  []string        `json:"part"`
	OK    json.RawMessage `json:"ok"`
	Error *string         `json:"error"`
}

// Hello is the agent's greeting.
type Hello struct {
	PID  int    `json:"pid"`  // of the process that holds the connection: a wrapper's, where the app has one
	Node string `json:"node"` // "v20.20.2"
}

// readMessage returns the next line that is a message and skips all others: an
// app can write what it likes to its descriptor.
func readMessage(r *bufio.Reader) (message, error) {
	for {
		line, err := readLine(r)
		if err != nil {
			return message{}, err
		}
		var m message
		if json.Unmarshal(line, &m) == nil {
			return m, nil
		}
	}
}

// readLine returns the next line with its end, valid until the next read; a
// longer one than maxLine comes back empty. What has no end is no line.
func readLine(r *bufio.Reader) ([]byte, error) {
	line, err := r.ReadSlice('\n')
	if !errors.Is(err, bufio.ErrBufferFull) {
		return line, err
	}
	long := append([]byte(nil), line...)
	tooLong := false
	for errors.Is(err, bufio.ErrBufferFull) {
		line, err = r.ReadSlice('\n')
		tooLong = tooLong || len(long)+len(line) > maxLine
		if tooLong {
			long = nil
		} else {
			long = append(long, line...)
		}
	}
	return long, err
}
