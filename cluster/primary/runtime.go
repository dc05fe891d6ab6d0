package primary

import (
	"encoding/json"

	"gpm/ipc/channel"
)

// Runtime is the program that runs the application.
type Runtime uint8

// The runtimes.
const (
	Node Runtime = iota
	Deno
	Bun
)

// Way is how a worker gets what it listens on.
type Way uint8

// The ways.
const (
	Refused Way = iota // not at all: the runtime cannot take it
	Own                // a socket for its slot alone
	Shared             // one socket for all workers
	Passed             // gpm accepts and passes each connection
)

// ways is what each runtime can take. Node shares Unix paths, where a socket of its own
// does nothing, and UDP, where it would stick every client to one worker. Deno reports listening on a
// socket it got but never serves it. Bun ends when it gets any handle; its http servers share by themselves.
var ways = map[Runtime]map[AddressType]Way{
	Node: {TCP4: Own, TCP6: Own, Unix: Shared, UDP4: Shared, UDP6: Shared},
	Deno: {TCP4: Passed, TCP6: Passed, Unix: Passed},
	Bun:  {},
}

// Way is how a worker of this runtime gets a socket of the type.
func (r Runtime) Way(t AddressType) Way { return ways[r][t] }

// Framing is how the runtime marks internal lines on its channel.
func (r Runtime) Framing() channel.Framing {
	if r == Bun {
		return channel.Bun
	}
	return channel.Plain
}

// Tickets are the TLS session ticket keys of an app's https servers, by key: what the first
// worker made is given to all others, so that a client's session is resumed by any of them.
type Tickets map[string]json.RawMessage

// Share stores the first data of a key that is not null and returns what is stored.
func (t Tickets) Share(key string, data json.RawMessage) json.RawMessage {
	if _, ok := t[key]; !ok && len(data) > 0 && string(data) != "null" {
		t[key] = append(json.RawMessage(nil), data...)
	}
	return t[key]
}
