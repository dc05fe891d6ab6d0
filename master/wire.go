package master

import (
	"encoding/json"
	"fmt"
	"strings"

	"gpm/ipc/frame"
)

// op names what a message on the link is.
type op string

// Requests of the daemon. Each has an answer with the same ID, apart from pong.
const (
	opList     op = "list"
	opSpawn    op = "spawn"
	opAdopt    op = "adopt"
	opAttach   op = "attach"
	opSignal   op = "signal"
	opRelease  op = "release"
	opHold     op = "hold"
	opTake     op = "take"
	opDrop     op = "drop"
	opNote     op = "note"
	opShutdown op = "shutdown"
	opServing  op = "serving"
	opUpgrade  op = "upgrade"
	opPong     op = "pong"
)

// Events of the master, with ID 0.
const (
	opHello    op = "hello" // the first message
	opExit     op = "exit"
	opStopping op = "stopping"
	opPing     op = "ping"
)

// request is what the daemon sends.
type request struct {
	ID    uint64            `json:"id,omitempty"`
	Op    op                `json:"op"`
	Key   string            `json:"key,omitempty"`
	PID   int               `json:"pid,omitempty"`
	Start uint64            `json:"start,omitempty"`
	Sig   int               `json:"sig,omitempty"`
	Group bool              `json:"group,omitempty"`
	Names []string          `json:"names,omitempty"`
	Notes map[string][]byte `json:"notes,omitempty"`
	Spawn *wireSpawn        `json:"spawn,omitempty"`
}

// reply is what the master sends: an answer, or an event.
type reply struct {
	ID    uint64     `json:"id,omitempty"`
	Op    op         `json:"op,omitempty"`
	Error *wireError `json:"error,omitempty"`
	PID   int        `json:"pid,omitempty"`
	Start uint64     `json:"start,omitempty"`
	Pipes string     `json:"pipes,omitempty"` // which pipes the descriptors are, in order: letters of pipeLetters
	List  *Inventory `json:"list,omitempty"`
	Exit  *Exit      `json:"exit,omitempty"`
	fds   []int      // travel beside the JSON
	lost  bool       // the descriptors could not be received
}

// wireSpawn is a Spawn whose words may hold any byte, which JSON strings may not.
type wireSpawn struct {
	Spawn
	RawPath []byte `json:"raw_path"`
	RawDir  []byte `json:"raw_dir"`
	RawArgv []byte `json:"raw_argv"` // each word ends with a zero byte
	RawEnv  []byte `json:"raw_env"`
}

func toWireSpawn(s Spawn) *wireSpawn {
	w := &wireSpawn{Spawn: s, RawPath: []byte(s.Path), RawDir: []byte(s.Dir), RawArgv: joinWords(s.Argv), RawEnv: joinWords(s.Env)}
	w.Path, w.Dir, w.Argv, w.Env = "", "", nil, nil
	return w
}

func (w *wireSpawn) spawn() Spawn {
	if w == nil {
		return Spawn{}
	}
	s := w.Spawn
	s.Path, s.Dir, s.Argv, s.Env = string(w.RawPath), string(w.RawDir), splitWords(w.RawArgv), splitWords(w.RawEnv)
	return s
}

func joinWords(words []string) []byte {
	n := len(words)
	for _, w := range words {
		n += len(w)
	}
	out := make([]byte, 0, n)
	for _, w := range words {
		out = append(append(out, w...), 0)
	}
	return out
}

func splitWords(b []byte) []string {
	if len(b) == 0 {
		return nil
	}
	return strings.Split(strings.TrimSuffix(string(b), "\x00"), "\x00")
}

// pipeLetters name stdout, stderr and stdin in reply.Pipes.
const pipeLetters = "oei"

// setPipes puts pipes into a reply, which owns them then.
func (r *reply) setPipes(p pipes) {
	for i, fd := range []int{p.out, p.err, p.in} {
		if fd > 0 {
			r.Pipes += pipeLetters[i : i+1]
			r.fds = append(r.fds, fd)
		}
	}
}

// spawned takes the pipes out of a reply. Lost ones are missing.
func (r *reply) spawned() spawned {
	s := spawned{pid: r.PID, start: r.Start}
	for i, fd := range r.fds {
		switch {
		case i >= len(r.Pipes):
			closeFDs(fd)
		case r.Pipes[i] == 'o':
			s.pipes.out = fd
		case r.Pipes[i] == 'e':
			s.pipes.err = fd
		case r.Pipes[i] == 'i':
			s.pipes.in = fd
		}
	}
	return s
}

func send(conn *frame.Conn, v any, fds []int) error {
	data, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("cannot encode a message: %w", err)
	}
	return conn.Write(frame.Message{Payload: data, FDs: fds})
}
