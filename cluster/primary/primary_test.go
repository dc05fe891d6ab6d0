package primary

import (
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"strings"
	"syscall"
	"testing"

	"pgregory.net/rapid"
)

// say is a message of the worker.
func say(format string, args ...any) FromWorker {
	return FromWorker{[]byte(`{"cmd":"NODE_CLUSTER",` + fmt.Sprintf(format, args...) + `}`)}
}

const query3000 = `"act":"queryServer","seq":1,"index":0,"data":null,"address":null,"port":3000,"addressType":4,"backlog":false`

const key3000 = ":3000:1:0:0"

// play feeds inputs and returns the state and the effects of the last.
func play(w Worker, in ...Input) (Worker, []Effect) {
	var effects []Effect
	for _, i := range in {
		w, effects = w.Step(i)
	}
	return w, effects
}

// show writes effects the way the tables below name them.
func show(effects []Effect) string {
	var out []string
	for _, e := range effects {
		switch e := e.(type) {
		case Reply:
			out = append(out, string(e.JSON))
		case PassSocket:
			out = append(out, fmt.Sprintf("socket %s %s %s", e.Key, e.Type, e.JSON))
		case PassConn:
			out = append(out, fmt.Sprintf("conn %d %s", e.Token, e.JSON))
		default:
			out = append(out, strings.TrimPrefix(fmt.Sprintf("%T%+v", e, e), "primary."))
		}
	}
	return strings.Join(out, "\n")
}

func TestSequences(t *testing.T) {
	online, query := say(`"act":"online","seq":0`), say(query3000)
	bound := Bound{Seq: 1, Key: key3000, Way: Own, Data: json.RawMessage(`"t"`)}
	listening := say(`"act":"listening","seq":2,"index":0,"address":null,"port":3000,"addressType":4`)
	serving := []Input{online, query, bound, listening}
	for _, c := range []struct {
		name string
		in   []Input
		want string
	}{
		{"online", []Input{online}, `CameOnline{}`},
		{"a socket", serving[:3],
			`socket :3000:1:0:0 net.Native {"cmd":"NODE_CLUSTER","errno":0,"key":":3000:1:0:0","ack":1,"data":"t","seq":0}`},
		{"round robin", []Input{query, Bound{Seq: 1, Key: key3000, Way: Passed, Sockname: &Sockname{"::", "IPv6", 3000}}},
			`{"cmd":"NODE_CLUSTER","errno":null,"key":":3000:1:0:0","ack":1,"data":null,"sockname":{"address":"::","family":"IPv6","port":3000},"seq":0}`},
		{"in use", []Input{query, Bound{Seq: 1, Key: key3000, Errno: ErrnoOf(fmt.Errorf("x: %w", syscall.EADDRINUSE))}},
			fmt.Sprintf(`{"cmd":"NODE_CLUSTER","errno":%d,"key":":3000:1:0:0","ack":1,"data":null,"seq":0}`, addressInUse)},
		{"listening", serving, `Listens{Key::3000:1:0:0 Query:{Address: Port:3000 Type:1 FD:-1 Flags:0 Backlog:0 Index:0 ReadableAll:false WritableAll:false Data:[]}}`},
		{"closed on purpose", append(serving[:4:4], say(`"act":"close","key":"%s"`, key3000)), `Closed{Key::3000:1:0:0 Deliberate:true}`},
		{"asked to stop", append(serving[:4:4], Stop{}), `{"cmd":"NODE_CLUSTER","act":"disconnect","seq":1}`},
		{"closed in a stop", append(serving[:4:4], Stop{}, say(`"act":"close","key":"%s"`, key3000)), `Closed{Key::3000:1:0:0 Deliberate:false}`},
		{"stop twice", append(serving[:4:4], Stop{}, Stop{}), ``},
		{"leaves", append(serving[:4:4], say(`"act":"exitedAfterDisconnect","seq":7`)), `{"cmd":"NODE_CLUSTER","ack":7,"seq":1}` + "\nLeaves{}"},
		{"offer", append(serving[:4:4], Offer{key3000, 5}), `conn 5 {"cmd":"NODE_CLUSTER","act":"newconn","key":":3000:1:0:0","seq":1}`},
		{"accepted", append(serving[:4:4], Offer{key3000, 5}, say(`"ack":1,"accepted":true`)), `Settled{Token:5 Accepted:true}`},
		{"not accepted", append(serving[:4:4], Offer{key3000, 5}, say(`"ack":1,"accepted":false`)), `Settled{Token:5 Accepted:false}`},
		{"answered twice", append(serving[:4:4], Offer{key3000, 5}, say(`"ack":1,"accepted":true`), say(`"ack":1,"accepted":true`)), ``},
		{"not passed", append(serving[:4:4], Offer{key3000, 5}, NotPassed{5}), `Settled{Token:5 Accepted:false}`},
		{"died with it", append(serving[:4:4], Offer{key3000, 5}, End{}), `Settled{Token:5 Accepted:false}`},
		{"offer before listening", []Input{online, query, bound, Offer{key3000, 5}}, `Settled{Token:5 Accepted:false}`},
		{"ready", []Input{online, FromApp{[]byte(`"ready"`)}}, `SaidReady{}`},
		{"another message", []Input{online, FromApp{[]byte(`"Ready"`)}}, ``},
		{"unknown act", []Input{say(`"act":"fromTheFuture","seq":3`)}, ``},
		{"stray ack", []Input{say(`"ack":12,"accepted":true`)}, ``},
		{"no number", []Input{say(`"act":"queryServer","port":1,"addressType":4`)}, ``},
		{"garbage", []Input{FromWorker{[]byte(`[1]`)}, FromWorker{[]byte(`null`)}, FromWorker{[]byte(`{"act":{}}`)}}, ``},
		{"close of nothing", []Input{say(`"act":"close","key":"x"`)}, ``},
	} {
		if _, got := play(Start(Node), c.in...); show(got) != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.name, show(got), c.want)
		}
	}
}

func TestReadyAndListeningAreIndependent(t *testing.T) {
	ready, listening := FromApp{[]byte(`"ready"`)}, say(`"act":"listening","seq":2,"port":3000,"addressType":4`)
	for _, in := range [][]Input{{say(query3000), ready, listening}, {say(query3000), listening, ready}} {
		w, _ := play(Start(Node), in...)
		if !w.Ready || !w.IsListening() {
			t.Errorf("%+v", w)
		}
	}
	if w, _ := play(Start(Node), ready); w.IsListening() {
		t.Error("ready means listening")
	}
}

func TestListeningOnAnyPortFindsItsQuery(t *testing.T) {
	w, effects := play(Start(Node),
		say(`"act":"queryServer","seq":1,"index":1,"address":"127.0.0.1","port":0,"addressType":4`),
		say(`"act":"listening","seq":2,"index":1,"address":"127.0.0.1","port":40001,"addressType":4`))
	l, ok := effects[0].(Listens)
	if !ok || l.Key != "127.0.0.1:0:1:0:1" || l.Query.Port != 40001 || !w.IsListening() {
		t.Errorf("got %+v, %+v", effects, w)
	}
	_, effects = play(Start(Bun), say(`"act":"listening","seq":1,"address":null,"port":3000,"addressType":4`))
	if l, ok := effects[0].(Listens); !ok || l.Key != "" {
		t.Errorf("a socket of its own: %+v", effects)
	}
}

func number(e Errno) string { return fmt.Sprintf(`"errno":%d,`, e) }

func TestWhatEachRuntimeCanTake(t *testing.T) {
	for _, c := range []struct {
		r    Runtime
		typ  string
		want string
	}{
		{Node, `4`, "Own"}, {Node, `6`, "Own"}, {Node, `-1`, "Shared"}, {Node, `"udp4"`, "Shared"}, {Node, `"udp6"`, "Shared"},
		{Deno, `4`, "Passed"}, {Deno, `"udp4"`, number(ENOTSUP)}, {Bun, `4`, number(ENOTSUP)}, {Node, `99`, number(EINVAL)}, {Node, `"x"`, number(EINVAL)},
	} {
		_, effects := play(Start(c.r), say(`"act":"queryServer","seq":1,"port":1,"addressType":%s`, c.typ))
		got := show(effects)
		if b, ok := effects[0].(Bind); ok {
			got = []string{"Refused", "Own", "Shared", "Passed"}[b.Way]
		}
		if !strings.Contains(got, c.want) {
			t.Errorf("%d %s: %s, want %s", c.r, c.typ, got, c.want)
		}
	}
}

func TestADescriptorOfOursIsNotGivenAway(t *testing.T) {
	_, effects := play(Start(Node), say(`"act":"queryServer","seq":1,"port":null,"addressType":null,"fd":3`))
	if !strings.Contains(show(effects), fmt.Sprintf(`"errno":%d`, EINVAL)) {
		t.Errorf("got %s", show(effects))
	}
}

func TestAWorkerCannotAskForEver(t *testing.T) {
	w := Start(Node)
	var effects []Effect
	for i := range maxOpen + 1 {
		w, effects = play(w, say(`"act":"queryServer","seq":%d,"index":%d,"port":0,"addressType":4`, i, i))
	}
	if len(w.Open) != maxOpen || !strings.Contains(show(effects), fmt.Sprintf(`"errno":%d`, EMFILE)) {
		t.Errorf("%d open; %s", len(w.Open), show(effects))
	}
}

// TestResume: the state survives as JSON; our numbers rise; late answers mean nothing.
func TestResume(t *testing.T) {
	w, _ := play(Start(Node), say(query3000), Bound{Seq: 1, Key: key3000, Way: Own},
		say(`"act":"listening","seq":2,"port":3000,"addressType":4`), Offer{key3000, 1})
	text, err := json.Marshal(w)
	if err != nil {
		t.Fatal(err)
	}
	var saved Worker
	if err := json.Unmarshal(text, &saved); err != nil || !reflect.DeepEqual(saved, w) {
		t.Fatalf("%v: %+v, was %+v", err, saved, w)
	}
	again := Resume(saved, math.MaxUint64)
	if again.Seq <= w.Seq || again.Seq > maxInteger || !again.IsListening() || !again.Online {
		t.Errorf("got %+v", again)
	}
	if _, effects := play(again, say(`"ack":1,"accepted":true`)); len(effects) != 0 {
		t.Errorf("a late answer: %s", show(effects))
	}
}

func TestTicketsAreTheFirstWorkers(t *testing.T) {
	tickets := Tickets{}
	for _, c := range []struct{ key, data, want string }{
		{"a", `null`, ``}, {"a", `"1"`, `"1"`}, {"a", `"2"`, `"1"`}, {"a", `null`, `"1"`}, {"b", `"3"`, `"3"`},
	} {
		if got := tickets.Share(c.key, json.RawMessage(c.data)); string(got) != c.want {
			t.Errorf("%s %s: %s, want %s", c.key, c.data, got, c.want)
		}
	}
}

// TestEveryAskIsAnsweredAndEveryOfferSettled: over any sequence of inputs, numbers rise by
// one, every numbered query gets a Bind or an answer at once, every token is settled exactly once,
// and Step leaves its argument alone.
func TestEveryAskIsAnsweredAndEveryOfferSettled(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := Start(rapid.SampledFrom([]Runtime{Node, Deno, Bun}).Draw(t, "runtime"))
		next, tokens, settled := uint64(0), uint64(0), map[uint64]int{}
		step := func(in Input) []Effect {
			before, err := json.Marshal(w)
			after, effects := w.Step(in)
			if now, err2 := json.Marshal(w); err != nil || err2 != nil || string(now) != string(before) {
				t.Fatalf("Step changed its argument: %s, was %s", now, before)
			}
			w = after
			for _, e := range effects {
				switch e := e.(type) {
				case Settled:
					settled[e.Token]++
				case Reply:
					next = checkSeq(t, e.JSON, next)
				case PassSocket:
					next = checkSeq(t, e.JSON, next)
				case PassConn:
					next = checkSeq(t, e.JSON, next)
				}
			}
			return effects
		}
		port := rapid.IntRange(0, 3)
		t.Repeat(map[string]func(*rapid.T){
			"query": func(t *rapid.T) {
				effects := step(say(`"act":"queryServer","seq":%d,"port":%d,"addressType":4`, next, port.Draw(t, "port")))
				if len(effects) != 1 {
					t.Fatalf("not answered: %v", effects)
				}
				if b, ok := effects[0].(Bind); ok {
					errno := rapid.SampledFrom([]Errno{OK, -98}).Draw(t, "errno")
					if len(step(Bound{Seq: b.Seq, Key: b.Key, Way: b.Way, Errno: errno})) != 1 {
						t.Fatal("bound, but not answered")
					}
				}
			},
			"listening": func(t *rapid.T) { step(say(`"act":"listening","port":%d,"addressType":4`, port.Draw(t, "port"))) },
			"close":     func(t *rapid.T) { step(say(`"act":"close","key":":%d:1:0:0"`, port.Draw(t, "port"))) },
			"offer": func(t *rapid.T) {
				step(Offer{fmt.Sprintf(":%d:1:0:0", port.Draw(t, "port")), tokens})
				tokens++
			},
			"ack":       func(t *rapid.T) { step(say(`"ack":%d,"accepted":true`, rapid.Uint64Range(0, next+1).Draw(t, "ack"))) },
			"notPassed": func(t *rapid.T) { step(NotPassed{rapid.Uint64Range(0, tokens+1).Draw(t, "token")}) },
			"leave":     func(t *rapid.T) { step(say(`"act":"exitedAfterDisconnect","seq":1`)) },
			"stop":      func(t *rapid.T) { step(Stop{}) },
		})
		step(End{})
		for token := range tokens {
			if settled[token] != 1 {
				t.Fatalf("token %d settled %d times", token, settled[token])
			}
		}
	})
}

func checkSeq(t *rapid.T, text []byte, want uint64) uint64 {
	var m struct{ Seq *uint64 }
	if err := json.Unmarshal(text, &m); err != nil || m.Seq == nil || *m.Seq != want {
		t.Fatalf("%s: %v, want seq %d", text, err, want)
	}
	return want + 1
}

// FuzzStep: no message of a worker crashes, and what is answered is valid JSON.
func FuzzStep(f *testing.F) {
	f.Add([]byte(`{"act":"queryServer","seq":1e3,"port":-1,"address":"/x","fd":null,"flags":"a","data":[1]}`))
	f.Add([]byte(`{"act":"queryServer","seq":1,"port":99999999999,"addressType":"udp6","index":-1,"backlog":1e99}`))
	f.Add([]byte(`{"ack":-1,"accepted":1}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		w, effects := Start(Node).Step(FromWorker{text})
		for _, e := range effects {
			if b, ok := e.(Bind); ok {
				w, effects = w.Step(Bound{Seq: b.Seq, Key: b.Key, Way: b.Way, Data: b.Query.Data})
				if p, ok := effects[0].(PassSocket); !ok || !json.Valid(p.JSON) {
					t.Fatalf("got %s", show(effects))
				}
			}
			if r, ok := e.(Reply); ok && (!json.Valid(r.JSON) || string(r.JSON) == "{}") {
				t.Fatalf("got %s", r.JSON)
			}
		}
		w.Step(FromWorker{text})
	})
}
