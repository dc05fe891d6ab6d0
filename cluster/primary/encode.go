package primary

import (
	"encoding/json"
	"errors"
	"syscall"
)

// Errno is an error as Node's workers know it: on Unix a negative errno(3), on Windows a number of libuv.
type Errno int

// OK is no error.
const OK Errno = 0

// ErrnoOf turns the failure of a bind into what the application is told; EINVAL when err
// is none of the operating system's.
func ErrnoOf(err error) Errno {
	if err == nil {
		return OK
	}
	if e, ok := errors.AsType[syscall.Errno](err); ok && e != 0 {
		return errnoOf(e)
	}
	return EINVAL
}

// Sockname is the address of a listening socket, as server.address() shows it.
type Sockname struct {
	Address string `json:"address"`
	Family  string `json:"family"` // "IPv4" or "IPv6"
	Port    int    `json:"port"`
}

const cmd = "NODE_CLUSTER"

// outgoing is a message to a worker.
type outgoing interface {
	encode(seq uint64) json.RawMessage
}

// request is one of ours.
type request struct {
	Act string
	Key string
}

func (r request) encode(seq uint64) json.RawMessage {
	return must(struct {
		Cmd string `json:"cmd"`
		Act string `json:"act"`
		Key string `json:"key,omitempty"`
		Seq uint64 `json:"seq"`
	}{cmd, r.Act, r.Key, seq})
}

// answer answers a message of the worker with the number Ack. A nil Errno is sent as null,
// which is what Node's own round-robin answer has.
type answer struct {
	Ack      uint64
	Key      string
	Errno    *int
	Data     json.RawMessage
	Sockname *Sockname
	bare     bool // nothing but the number
}

func (a answer) encode(seq uint64) json.RawMessage {
	if a.bare {
		return must(struct {
			Cmd string `json:"cmd"`
			Ack uint64 `json:"ack"`
			Seq uint64 `json:"seq"`
		}{cmd, a.Ack, seq})
	}
	if len(a.Data) == 0 {
		a.Data = json.RawMessage("null")
	}
	return must(struct {
		Cmd      string          `json:"cmd"`
		Errno    *int            `json:"errno"`
		Key      string          `json:"key"`
		Ack      uint64          `json:"ack"`
		Data     json.RawMessage `json:"data"`
		Sockname *Sockname       `json:"sockname,omitempty"`
		Seq      uint64          `json:"seq"`
	}{cmd, a.Errno, a.Key, a.Ack, a.Data, a.Sockname, seq})
}

// must encodes what cannot fail: strings, numbers, and JSON that was decoded before.
func must(v any) json.RawMessage {
	text, err := json.Marshal(v)
	if err != nil {
		return json.RawMessage("{}")
	}
	return text
}
