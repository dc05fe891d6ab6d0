package primary

import (
	"encoding/json"
	"fmt"
	"strings"
)

// AddressType is what kind of socket a query means.
type AddressType uint8

// The address types.
const (
	TypeUnknown AddressType = iota
	TCP4
	TCP6
	Unix
	UDP4
	UDP6
)

// HandleType is Node's name for a raw handle of this type.
func (t AddressType) HandleType() string {
	if t == UDP4 || t == UDP6 {
		return "dgram.Native"
	}
	return "net.Native"
}

// Flags of a Query, libuv's.
const (
	FlagIPv6Only     = 1 // TCP and UDP
	FlagUDPReuseAddr = 4 // UDP only
)

// Query is what a worker wants to listen on.
type Query struct {
	Address     string          `json:"address"` // an IP address or an absolute path; "": none given
	Port        int             `json:"port"`    // 0: any
	Type        AddressType     `json:"type"`
	FD          int             `json:"fd"` // the application named a descriptor; -1: none
	Flags       int             `json:"flags"`
	Backlog     int             `json:"backlog"` // 0: the default
	Index       int             `json:"index"`   // how often this worker asked for the same before
	ReadableAll bool            `json:"readable_all"`
	WritableAll bool            `json:"writable_all"`
	Data        json.RawMessage `json:"-"` // TLS ticket keys, to be shared by all workers of a key
}

// Key names the address within an app, the same in every worker. The worker only echoes it.
func (q Query) Key() string {
	return fmt.Sprintf("%s:%d:%d:%d:%d", q.Address, q.Port, q.Type, q.Flags, q.Index)
}

// message is a decoded one from a worker.
type message struct {
	act      string
	seq, ack uint64
	hasSeq   bool
	hasAck   bool
	accepted bool
	key      string
	query    Query
}

// fields are a message's members. Node is not strict about their types (backlog may be
// false, addresses null), and what is not understood must not cost the answer.
type fields map[string]json.RawMessage

// decode understands a NODE_CLUSTER message; false: it is no object.
func decode(text []byte) (message, bool) {
	var f fields
	if json.Unmarshal(text, &f) != nil || f == nil {
		return message{}, false
	}
	m := message{act: f.str("act"), key: f.str("key"), accepted: string(f["accepted"]) == "true"}
	m.seq, m.hasSeq = f.number("seq")
	m.ack, m.hasAck = f.number("ack")
	m.query = Query{
		Address: f.str("address"), Port: f.integer("port", 0), Type: f.addressType(),
		FD: f.integer("fd", -1), Flags: f.integer("flags", 0), Backlog: max(0, f.integer("backlog", 0)),
		Index: f.integer("index", 0), Data: f["data"],
		ReadableAll: string(f["readableAll"]) == "true", WritableAll: string(f["writableAll"]) == "true",
	}
	return m, true
}

// str is "" for anything but a string.
func (f fields) str(name string) string {
	var s string
	if json.Unmarshal(f[name], &s) != nil {
		return ""
	}
	return s
}

// maxInteger is the largest that JavaScript counts exactly to.
const maxInteger = 1<<53 - 1

func (f fields) number(name string) (uint64, bool) {
	var n *float64
	if json.Unmarshal(f[name], &n) != nil || n == nil || *n < 0 || *n > maxInteger || *n != float64(uint64(*n)) {
		return 0, false
	}
	return uint64(*n), true
}

// integer is def for anything but a small integer.
func (f fields) integer(name string, def int) int {
	var n *float64
	if json.Unmarshal(f[name], &n) != nil || n == nil || *n != float64(int32(*n)) {
		return def
	}
	return int(*n)
}

func (f fields) addressType() AddressType {
	switch strings.Trim(string(f["addressType"]), `"`) {
	case "4":
		return TCP4
	case "6":
		return TCP6
	case "-1":
		return Unix
	case "udp4":
		return UDP4
	case "udp6":
		return UDP6
	case "", "null":
		return typeByPort(f.integer("port", 0))
	}
	return TypeUnknown
}

// typeByPort: Node gives no address type when no address was given, and port -1 for a path.
func typeByPort(port int) AddressType {
	if port < 0 {
		return Unix
	}
	return TCP6
}
