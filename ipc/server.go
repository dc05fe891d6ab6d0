package ipc

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"gpm/app"
)

// Limits on what a client may send or how long it may take to do so.
const (
	maxBody       = 8 << 20 // JSON may double the 2 MB that execve takes
	maxHeader     = 1 << 20 // thousands of selectors in a query
	headerTimeout = 5 * time.Second
	bodyTimeout   = 30 * time.Second
	writeTimeout  = 30 * time.Second // for one answer; streams have none, a pager may hold them up
	idleTimeout   = 2 * time.Minute
)

// grace is how long requests may go on after the server was told to end.
const grace = 5 * time.Second

// Handler answers one request. What it returns before it wrote anything becomes the answer.
type Handler func(w http.ResponseWriter, r *http.Request) error

// Route is one line of the API: a pattern of http.ServeMux ("GET /v1/ping") and what answers it.
type Route struct {
	Pattern string
	Handler Handler
}

// Serve answers requests on l until ctx is cancelled or l fails. Then it closes l, the contexts of
// requests going on are cancelled too, and it returns when all have ended, at the latest after a few
// seconds. The error is nil after a cancelled ctx.
func Serve(ctx context.Context, l net.Listener, routes []Route, log *slog.Logger) error {
	s := &server{log: log, mux: http.NewServeMux()}
	for _, r := range routes {
		s.mux.HandleFunc(r.Pattern, s.answer(r.Handler))
	}
	s.mux.HandleFunc("/", s.answer(unknownRoute))
	s.web = &http.Server{
		Handler:           s,
		ConnState:         s.silent.track,
		ReadHeaderTimeout: headerTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
		BaseContext:       func(net.Listener) context.Context { return ctx },
	}
	return s.run(ctx, l)
}

type server struct {
	log    *slog.Logger
	mux    *http.ServeMux
	web    *http.Server
	silent silent
}

func (s *server) run(ctx context.Context, l net.Listener) error {
	failed := make(chan error, 1)
	go func() { failed <- s.web.Serve(l) }() // ends by Shutdown, and is waited for below
	select {
	case err := <-failed:
		_ = s.web.Close()
		return fmt.Errorf("cannot serve on %s: %w", l.Addr(), err)
	case <-ctx.Done():
	}
	_ = l.Close() // so that silent is complete
	s.silent.close()
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
	defer cancel()
	err := s.web.Shutdown(end) // complains, too, that l is closed already
	timedOut := errors.Is(err, context.DeadlineExceeded)
	if timedOut {
		_ = s.web.Close()
	}
	<-failed
	if timedOut {
		return fmt.Errorf("cannot end all requests within %s", grace)
	}
	return nil
}

// silent keeps the connections that have not asked anything yet: Shutdown would wait five seconds for them.
type silent struct {
	mu    sync.Mutex // guards conns
	conns map[net.Conn]bool
}

func (s *silent) track(c net.Conn, state http.ConnState) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if state != http.StateNew {
		delete(s.conns, c)
		return
	}
	if s.conns == nil {
		s.conns = map[net.Conn]bool{}
	}
	s.conns[c] = true
}

func (s *silent) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		_ = c.Close()
	}
}

// ServeHTTP refuses what a browser may have been tricked into sending, before anything else.
func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set(versionHeader, app.Version)
	if err := checkOrigin(r); err != nil {
		s.fail(w, r, err)
		return
	}
	s.mux.ServeHTTP(w, r)
}

func checkOrigin(r *http.Request) error {
	foreign := r.Host != host && r.Host != "localhost"
	if foreign || r.Header.Get("Origin") != "" || r.Header.Get("Referer") != "" {
		return app.Errorf(app.CodeForbidden, "cannot answer a web page: host %q, origin %q", r.Host, r.Header.Get("Origin"))
	}
	return nil
}

func unknownRoute(_ http.ResponseWriter, r *http.Request) error {
	return app.Errorf(app.CodeNotFound, "cannot %s %s: version %s has no such call", r.Method, r.URL.Path, app.Version).
		WithHint("the command and the daemon may be of different versions")
}

// answer is where every error becomes an answer and a line in the log.
func (s *server) answer(h Handler) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		began := &begun{ResponseWriter: w}
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		if err := s.call(h, began, r); err != nil && !began.yes {
			s.fail(w, r, err)
		} else if err != nil {
			s.report(r, app.AsError(err))
		}
	}
}

// call turns a panic into an error: one bad request must not take the connection's other answers away
// without a word.
func (s *server) call(h Handler, w http.ResponseWriter, r *http.Request) (err error) {
	defer func() {
		p := recover()
		if aborted, ok := p.(error); ok && errors.Is(aborted, http.ErrAbortHandler) { // on purpose, see Stream
			panic(p)
		}
		if p != nil {
			s.log.Error("Panic in a request", "path", r.URL.Path, "panic", p, "stack", stack())
			err = app.Errorf(app.CodeInternal, "cannot answer %s: internal error: %v", r.URL.Path, p)
		}
	}()
	return h(w, r)
}

func (s *server) fail(w http.ResponseWriter, r *http.Request, err error) {
	e := app.AsError(err)
	s.report(r, e)
	_ = writeJSON(w, statusOf(e.Code), failure{e})
}

func (s *server) report(r *http.Request, e *app.Error) {
	level := slog.LevelInfo
	if e.Code == app.CodeInternal || e.Code == app.CodeStorage {
		level = slog.LevelError
	}
	if r.Context().Err() != nil { // nobody is there to hear
		level = slog.LevelDebug
	}
	s.log.Log(r.Context(), level, "Request failed", "path", r.URL.Path, "code", string(e.Code), "error", e.Message)
}

// statusOf returns the HTTP status for a code.
func statusOf(c app.Code) int {
	switch c {
	case app.CodeInvalid:
		return http.StatusBadRequest
	case app.CodeNotFound:
		return http.StatusNotFound
	case app.CodeConflict:
		return http.StatusConflict
	case app.CodeForbidden:
		return http.StatusForbidden
	case app.CodeTimeout:
		return http.StatusGatewayTimeout
	case app.CodeStorage:
		return http.StatusInsufficientStorage
	}
	return http.StatusInternalServerError
}
