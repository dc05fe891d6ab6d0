package pm2

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"net"
	"sync"
	"time"
)

const (
	maxConns     = 512              // clients at once on one socket
	maxCalls     = 64               // calls at work for one client
	writeTimeout = 30 * time.Second // for a client that does not read its answers
)

// Server answers the calls of pm2's clients on rpc.sock.
type Server struct {
	Backend Backend
	View    View   // how processes are shown
	Version string // what getVersion answers; "" = [Speaks]
}

// Speaks is the version of pm2 whose wire this is. A pm2 command of another
// version says that the daemon is out of date, so gpm's own would not do.
const Speaks = "7.0.4"

// Serve accepts clients until ctx ends or ln is closed; it closes ln, and returns
// when all calls have. The socket should be open to its owner only (0600, in a 0700
// directory): who may connect may do everything, and sees every environment.
func (s *Server) Serve(ctx context.Context, ln net.Listener) {
	serve(ctx, ln, s.client)
}

// client reads the calls of one connection. They run side by side, since a client
// sends the next without waiting for the answer, and a stop may take seconds.
// A client that goes away does not undo what it asked for.
func (s *Server) client(ctx context.Context, c net.Conn) {
	var calls sync.WaitGroup
	defer calls.Wait()
	out := &answers{conn: c}
	slots := make(chan struct{}, maxCalls)
	r := bufio.NewReader(c)
	for {
		m, err := ReadMessage(r, MaxMessage)
		if err != nil || len(m) == 0 {
			return
		}
		slots <- struct{}{}
		calls.Go(func() {
			var after []func()
			if body := s.answer(context.WithValue(ctx, laterKey{}, &after), m); body != nil {
				out.send(body, m[len(m)-1])
			}
			for _, do := range after {
				do()
			}
			<-slots
		})
	}
}

// laterKey is the key of what a call does after it was answered.
type laterKey struct{}

// later has something done when the client has its answer: what comes of it must not arrive before.
func later(ctx context.Context, do func()) {
	if after, ok := ctx.Value(laterKey{}).(*[]func()); ok {
		*after = append(*after, do)
	}
}

// request is the first argument of a message: {type: "call", method, args}.
type request struct {
	Type   string            `json:"type"`
	Method string            `json:"method"`
	Args   []json.RawMessage `json:"args"`
}

// errNoAnswer is what a handler returns when the client must not get an answer.
var errNoAnswer = errors.New("no answer")

// answer returns the first argument of the answer; nil when there is none.
func (s *Server) answer(ctx context.Context, m Message) any {
	var req request
	if err := m.decode(0, &req); err != nil {
		return failure(err)
	}
	if req.Type == "methods" {
		return methodList()
	}
	h, err := find(req.Method)
	if err != nil {
		return failure(err)
	}
	results, err := h(ctx, s, args(req.Args))
	switch {
	case errors.Is(err, errNoAnswer):
		return nil
	case err != nil:
		return failure(err)
	}
	return map[string]any{"args": results}
}

func failure(err error) any {
	return map[string]any{"error": err.Error(), "stack": "Error: " + err.Error()}
}

// answers is the writing half of one connection.
type answers struct {
	mu   sync.Mutex // guards the order of writes
	conn net.Conn
}

// send writes one answer. A client that left needs none; one that does not read
// is cut off, which also ends its reader.
func (a *answers) send(body any, id []byte) {
	arg, err := JSON(body)
	if err != nil {
		arg, _ = JSON(failure(err)) // strings only: cannot fail
	}
	frame := AppendMessage(nil, arg, id)
	a.mu.Lock()
	defer a.mu.Unlock()
	err = a.conn.SetWriteDeadline(time.Now().Add(writeTimeout))
	if err == nil {
		_, err = a.conn.Write(frame)
	}
	if err != nil {
		a.conn.Close()
	}
}

// serve runs handle for each connection of ln, until ctx ends or ln is closed,
// and returns when all have.
func serve(ctx context.Context, ln net.Listener, handle func(context.Context, net.Conn)) {
	var clients sync.WaitGroup
	defer clients.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(ctx, func() { ln.Close() })()
	slots := make(chan struct{}, maxConns)
	for {
		slots <- struct{}{}
		c, err := accept(ctx, ln)
		if err != nil {
			return
		}
		clients.Go(func() {
			defer func() { <-slots }()
			defer c.Close()
			defer context.AfterFunc(ctx, func() { c.Close() })()
			handle(ctx, c)
		})
	}
}

// accept tries again, less and less often, when the process has run out of
// descriptors; its only error is net.ErrClosed.
func accept(ctx context.Context, ln net.Listener) (net.Conn, error) {
	for wait := 5 * time.Millisecond; ; wait = min(2*wait, time.Second) {
		c, err := ln.Accept()
		if err == nil || errors.Is(err, net.ErrClosed) {
			return c, err
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return nil, net.ErrClosed
		}
	}
}
