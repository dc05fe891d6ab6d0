package primary

import "encoding/json"

// Input is something that happened to a worker: one of the structs below.
type Input interface {
	step(w *Worker) []Effect
}

// FromWorker is a NODE_CLUSTER message.
type FromWorker struct{ JSON []byte }

// FromApp is a message of the application.
type FromApp struct{ JSON []byte }

// Bound answers a Bind.
type Bound struct {
	Seq      uint64
	Key      string
	Errno    Errno // not OK: the rest is ignored but Data
	Way      Way   // how it is given; Passed: connections follow by Offer
	Data     json.RawMessage
	Sockname *Sockname // with Passed, for TCP
}

// Offer gives a connection to the worker; the answer is a Settled with its Token, which
// the host chooses.
type Offer struct {
	Key   string
	Token uint64
}

// NotPassed says that the descriptor of an Offer could not be passed.
type NotPassed struct{ Token uint64 }

// Stop asks the worker to close its servers, finish and disconnect.
type Stop struct{}

// End says that the channel has ended.
type End struct{}

// Effect is something to do: one of the structs below.
type Effect interface{ effect() }

// Reply is to be posted on the channel.
type Reply struct{ JSON json.RawMessage }

// Bind asks the host for the socket of a query; it answers with Bound, at once or later.
type Bind struct {
	Seq   uint64
	Key   string
	Query Query
	Way   Way // what this runtime can take
}

// PassSocket is to be passed on the channel with the socket of the key. When that fails,
// answer once more with Bound and an Errno.
type PassSocket struct {
	JSON json.RawMessage
	Type string // Node's handle type
	Key  string
}

// PassConn is to be passed on the channel, type "net.Native", with the connection of the token.
type PassConn struct {
	JSON  json.RawMessage
	Token uint64
}

// Settled ends an Offer: the worker has the connection, or another must get it.
type Settled struct {
	Token    uint64
	Accepted bool
}

// CameOnline says that the runtime is up, no user code has run yet.
type CameOnline struct{}

// SaidReady says that the application sent "ready".
type SaidReady struct{}

// Listens says that the worker serves an address; Query.Port is the real port. Key is "" for a
// socket that it bound by itself.
type Listens struct {
	Key   string
	Query Query
}

// Closed says that the worker closed the server of a key. Deliberate: the application did so while it
// runs on, so its socket is to be closed too; else the slot's next worker uses it.
type Closed struct {
	Key        string
	Deliberate bool
}

// Leaves says that the application ends this worker in good order; it is not a crash.
type Leaves struct{}

func (Reply) effect()      {}
func (Bind) effect()       {}
func (PassSocket) effect() {}
func (PassConn) effect()   {}
func (Settled) effect()    {}
func (CameOnline) effect() {}
func (SaidReady) effect()  {}
func (Listens) effect()    {}
func (Closed) effect()     {}
func (Leaves) effect()     {}
