// Package primary plays the primary of Node's cluster module towards one worker: it
// understands what the worker says on its channel and decides what to answer. It performs
// nothing: [Worker.Step] is a pure function from a state and an input to a state and effects.
//
// A worker asks for every address it listens on (queryServer); the host opens or finds a socket
// ([Bind], [Bound]); the answer carries the socket, or says that connections will be passed one by
// one, or is an error that the application sees as under Node itself.
package primary

import (
	"encoding/json"
	"maps"
	"slices"
)

// Phase is where a worker is between start and end.
type Phase uint8

// The phases.
const (
	Running  Phase = iota
	Stopping       // it was sent the disconnect message
	Leaving        // it said that it disconnects by itself
	Gone           // its channel has ended
)

// maxOpen bounds the addresses of one worker: one that asks for ever must not use up
// the descriptors of everybody.
const maxOpen = 1024

// Worker is the state of one worker. It is plain data, to be kept where the
// next daemon finds it.
type Worker struct {
	Runtime Runtime         `json:"runtime"`
	Phase   Phase           `json:"phase"`
	Online  bool            `json:"online"` // it spoke at all
	Ready   bool            `json:"ready"`  // it sent "ready"; independent of listening
	Seq     uint64          `json:"seq"`    // number of our next message
	Open    map[string]Open `json:"open"`   // by key
	Passing []Passing       `json:"passing,omitempty"`
}

// Open is one address that a worker has asked for.
type Open struct {
	Query     Query `json:"query"`
	Listening bool  `json:"listening"` // it said so; Query.Port is what it asked for
}

// Passing is a connection that was offered and is not answered yet.
type Passing struct {
	Seq   uint64 `json:"seq"`
	Key   string `json:"key"`
	Token uint64 `json:"token"`
}

// Start is the state of a worker just started.
func Start(r Runtime) Worker { return Worker{Runtime: r} }

// Resume is the state of a worker that another daemon served before: saved, or the zero state when
// nothing was saved. Random makes the numbers of our messages differ from those the other
// used, so that late answers to them mean nothing; they stay exact in JavaScript.
func Resume(saved Worker, random uint64) Worker {
	saved.Seq = max(saved.Seq, 1<<32) + random%(1<<51)
	saved.Passing = nil // nobody holds these connections any more
	saved.Online = true
	return saved
}

// Step takes one input. It changes nothing in w.
func (w Worker) Step(in Input) (Worker, []Effect) {
	w.Open = maps.Clone(w.Open)
	w.Passing = slices.Clone(w.Passing)
	if w.Open == nil {
		w.Open = map[string]Open{}
	}
	effects := in.step(&w)
	return w, effects
}

// IsListening says whether the worker serves at least one address.
func (w Worker) IsListening() bool {
	for _, o := range w.Open {
		if o.Listening {
			return true
		}
	}
	return false
}

func (m FromWorker) step(w *Worker) []Effect {
	msg, ok := decode(m.JSON)
	if !ok || w.Phase == Gone {
		return nil
	}
	if msg.hasAck {
		return w.answered(msg.ack, msg.accepted)
	}
	switch msg.act {
	case "online":
		w.Online = true
		return []Effect{CameOnline{}}
	case "queryServer":
		return w.asked(msg)
	case "listening":
		return w.listens(msg.query)
	case "close":
		return w.closed(msg.key)
	case "exitedAfterDisconnect":
		return w.leaves(msg)
	}
	return nil // a newer Node's notice: not for us
}

// step of an application message looks for the readiness signal only.
func (m FromApp) step(w *Worker) []Effect {
	if string(m.JSON) != `"ready"` || w.Ready {
		return nil
	}
	w.Ready = true
	return []Effect{SaidReady{}}
}

// asked must lead to an answer in any case, or the application's listen never calls back.
func (w *Worker) asked(msg message) []Effect {
	if !msg.hasSeq {
		return nil
	}
	q := msg.query
	key := q.Key()
	if refusal := w.refusal(q); refusal != OK {
		return []Effect{w.reply(answer{Ack: msg.seq, Key: key, Errno: new(int(refusal)), Data: q.Data})}
	}
	kept := q
	kept.Data = nil // belongs to the key, see Tickets
	// Asked again, by a message that an earlier daemon had read: what it said since stays true.
	w.Open[key] = Open{Query: kept, Listening: w.Open[key].Listening}
	return []Effect{Bind{Seq: msg.seq, Key: key, Query: q, Way: w.Runtime.Way(q.Type)}}
}

// refusal is why a query is not even tried.
func (w *Worker) refusal(q Query) Errno {
	switch {
	case q.Type == TypeUnknown || q.FD >= 0:
		return EINVAL // a number in our own table of descriptors means nothing to the application
	case w.Runtime.Way(q.Type) == Refused:
		return ENOTSUP
	case len(w.Open) >= maxOpen && w.Open[q.Key()].Query.Type == TypeUnknown:
		return EMFILE
	}
	return OK
}

func (b Bound) step(w *Worker) []Effect {
	if w.Phase == Gone {
		return nil
	}
	a := answer{Ack: b.Seq, Key: b.Key, Data: b.Data}
	switch {
	case b.Errno != OK:
		delete(w.Open, b.Key)
		a.Errno = new(int(b.Errno))
		return []Effect{w.reply(a)}
	case b.Way == Passed:
		a.Sockname = b.Sockname
		return []Effect{w.reply(a)}
	}
	a.Errno = new(0)
	return []Effect{PassSocket{JSON: w.encode(a), Type: w.Open[b.Key].Query.Type.HandleType(), Key: b.Key}}
}

func (w *Worker) listens(q Query) []Effect {
	key := w.keyOf(q)
	if o, ok := w.Open[key]; ok {
		o.Listening = true
		w.Open[key] = o
	}
	return []Effect{Listens{Key: key, Query: q}}
}

// keyOf finds the key of a listening notice. It repeats the query, but with the real port;
// servers with a listener of their own (exclusive, Bun's http) never asked: "".
func (w *Worker) keyOf(q Query) string {
	if key := q.Key(); w.Open[key].Query.Type != TypeUnknown {
		return key
	}
	q.Port = 0
	if key := q.Key(); w.Open[key].Query.Type != TypeUnknown {
		return key
	}
	return ""
}

func (w *Worker) closed(key string) []Effect {
	if _, ok := w.Open[key]; !ok {
		return nil
	}
	delete(w.Open, key)
	return []Effect{Closed{Key: key, Deliberate: w.Phase == Running}}
}

// leaves acknowledges: the worker waits for it before it disconnects.
func (w *Worker) leaves(msg message) []Effect {
	if !msg.hasSeq {
		return nil
	}
	if w.Phase == Running {
		w.Phase = Leaving
	}
	return []Effect{w.reply(answer{Ack: msg.seq, bare: true}), Leaves{}}
}

func (Stop) step(w *Worker) []Effect {
	if w.Phase != Running {
		return nil
	}
	w.Phase = Stopping
	return []Effect{w.reply(request{Act: "disconnect"})}
}

func (o Offer) step(w *Worker) []Effect {
	if w.Phase != Running || !w.Open[o.Key].Listening {
		return []Effect{Settled{Token: o.Token}}
	}
	w.Passing = append(w.Passing, Passing{Seq: w.Seq, Key: o.Key, Token: o.Token})
	return []Effect{PassConn{JSON: w.encode(request{Act: "newconn", Key: o.Key}), Token: o.Token}}
}

func (w *Worker) answered(seq uint64, accepted bool) []Effect {
	i := slices.IndexFunc(w.Passing, func(p Passing) bool { return p.Seq == seq })
	if i < 0 {
		return nil // meant for an earlier daemon
	}
	token := w.Passing[i].Token
	w.Passing = slices.Delete(w.Passing, i, i+1)
	return []Effect{Settled{Token: token, Accepted: accepted}}
}

func (f NotPassed) step(w *Worker) []Effect {
	i := slices.IndexFunc(w.Passing, func(p Passing) bool { return p.Token == f.Token })
	if i < 0 {
		return nil
	}
	return w.answered(w.Passing[i].Seq, false)
}

func (End) step(w *Worker) []Effect {
	w.Phase = Gone
	var effects []Effect
	for _, p := range w.Passing {
		effects = append(effects, Settled{Token: p.Token})
	}
	w.Passing = nil
	return effects
}

// reply numbers and encodes a message.
func (w *Worker) reply(m outgoing) Effect { return Reply{JSON: w.encode(m)} }

func (w *Worker) encode(m outgoing) json.RawMessage {
	text := m.encode(w.Seq)
	w.Seq++
	return text
}
