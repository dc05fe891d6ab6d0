package ipc

import (
	"context"
	"errors"
	"iter"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"gpm/app"
)

// How long a call waits for its whole answer. The detailed ones read /proc for every
// process of a tree, of which there may be thousands.
const (
	quickCall  = 5 * time.Second
	listCall   = 15 * time.Second
	detailCall = 60 * time.Second

	upgradeCall = 90 * time.Second
)

// Client talks to the daemon of one home. It is safe for concurrent use.
type Client struct {
	home    string
	http    *http.Client
	version atomic.Pointer[string]
	first   chan net.Conn // what Connect dialled, for the first call
	seen    atomic.Bool   // a daemon was there: one that is missing is being replaced

	// Revive sees to it that a daemon runs, for calls that find the one that was there gone; may be nil.
	Revive func(context.Context) error
}

// New returns a client for a home. It dials when it is first used.
func New(home string) *Client {
	c := &Client{home: home, first: make(chan net.Conn, 1)}
	c.http = &http.Client{Transport: &http.Transport{
		DialContext:           func(ctx context.Context, _, _ string) (net.Conn, error) { return c.dial(ctx) },
		DisableCompression:    true, // the other end is this machine
		MaxIdleConnsPerHost:   4,
		ReadBufferSize:        64 << 10,
		ResponseHeaderTimeout: 0, // each call has its own deadline
	}}
	return c
}

func (c *Client) dial(ctx context.Context) (net.Conn, error) {
	select {
	case conn := <-c.first:
		return conn, nil
	default:
		return Dial(ctx, Address(c.home))
	}
}

// Connect finds out whether a daemon listens: ErrNotRunning if not. From then on calls wait for the
// next daemon when this one dies.
func (c *Client) Connect(ctx context.Context) error {
	conn, err := Dial(ctx, Address(c.home))
	if err != nil {
		return err
	}
	c.seen.Store(true)
	select {
	case c.first <- conn:
		return nil
	default:
		return conn.Close()
	}
}

// Close ends idle connections.
func (c *Client) Close() {
	select {
	case conn := <-c.first:
		_ = conn.Close() // never used
	default:
	}
	c.http.CloseIdleConnections()
}

// ServerVersion returns the version of the daemon as of its last answer, "" before any.
func (c *Client) ServerVersion() string {
	if v := c.version.Load(); v != nil {
		return *v
	}
	return ""
}

// Ping asks whether the daemon answers.
func (c *Client) Ping(ctx context.Context) (app.DaemonStatus, error) {
	return get[app.DaemonStatus](ctx, c, "/v1/ping", nil, wait{"the daemon's answer to a ping", quickCall})
}

// Daemon returns the state of the daemon and its master.
func (c *Client) Daemon(ctx context.Context) (app.DaemonStatus, error) {
	return get[app.DaemonStatus](ctx, c, "/v1/daemon", nil, wait{"the daemon's status", quickCall})
}

// Host measures the machine.
func (c *Client) Host(ctx context.Context) (app.Host, error) {
	return get[app.Host](ctx, c, "/v1/host", nil, wait{"the machine's figures", quickCall})
}

// Kill stops all processes, the daemon and its master.
func (c *Client) Kill(ctx context.Context) iter.Seq2[app.Progress, error] {
	return stream[app.Progress](ctx, c, post("/v1/daemon/kill", None{}), "the daemon to stop everything")
}

// Upgrade makes the daemon check another program and make way for it.
func (c *Client) Upgrade(ctx context.Context, req app.UpgradeRequest) (app.SelfTest, error) {
	return exchange(ctx, c, post("/v1/daemon/upgrade", req), wait{"the check of the new program", upgradeCall}, readWhole[app.SelfTest])
}

// Processes returns what the selectors match, or all.
func (c *Client) Processes(ctx context.Context, q ListQuery) ([]app.Status, error) {
	return getList[app.Status](ctx, c, "/v1/processes", q.values(), wait{"the list of processes", listCall})
}

// Details returns everything about what the selectors match, or all.
func (c *Client) Details(ctx context.Context, selectors ...string) ([]app.Detail, error) {
	return c.details(ctx, DetailsQuery{Selectors: selectors})
}

// BriefDetails is Details with no more of Usage than Processes has, no Pressure and no ProcEnv: of many processes it takes a fraction of the time.
func (c *Client) BriefDetails(ctx context.Context, selectors ...string) ([]app.Detail, error) {
	return c.details(ctx, DetailsQuery{Selectors: selectors, Brief: true})
}

func (c *Client) details(ctx context.Context, q DetailsQuery) ([]app.Detail, error) {
	return getList[app.Detail](ctx, c, "/v1/details", q.values(), wait{"the details of processes", detailCall})
}

// History returns past events of what the selectors match, the oldest first.
func (c *Client) History(ctx context.Context, q HistoryQuery) ([]app.Event, error) {
	return getList[app.Event](ctx, c, "/v1/history", q.values(), wait{"the history", listCall})
}

// Watch explains what is watched of the apps that the selectors match.
func (c *Client) Watch(ctx context.Context, q HistoryQuery) ([]app.WatchExplanation, error) {
	return getList[app.WatchExplanation](ctx, c, "/v1/watch", q.values(), wait{"what is watched", listCall})
}

// Start starts targets.
func (c *Client) Start(ctx context.Context, req app.StartRequest) iter.Seq2[app.Progress, error] {
	return stream[app.Progress](ctx, c, post("/v1/start", req), "the start of "+strings.Join(req.Targets, ", "))
}

// Do applies an action to processes.
func (c *Client) Do(ctx context.Context, req app.ActionRequest) iter.Seq2[app.Progress, error] {
	return stream[app.Progress](ctx, c, post("/v1/actions", req), "the "+string(req.Action))
}

// Scale changes the number of instances of apps.
func (c *Client) Scale(ctx context.Context, req app.ScaleRequest) iter.Seq2[app.Progress, error] {
	return stream[app.Progress](ctx, c, post("/v1/scale", req), "the scaling of "+req.Selector)
}

// Send sends a JSON text to processes.
func (c *Client) Send(ctx context.Context, req app.MessageRequest) iter.Seq2[app.Progress, error] {
	return stream[app.Progress](ctx, c, post("/v1/messages", req), "the message to "+strings.Join(req.Selectors, ", "))
}

// Trigger has processes carry out an action and returns their answers.
func (c *Client) Trigger(ctx context.Context, req app.TriggerRequest) iter.Seq2[app.Message, error] {
	return stream[app.Message](ctx, c, post("/v1/trigger", req), "the answers to "+req.Action)
}

// Inspect asks Node processes about themselves.
func (c *Client) Inspect(ctx context.Context, req app.InspectRequest) iter.Seq2[app.Inspected, error] {
	return stream[app.Inspected](ctx, c, post("/v1/inspect", req), "the answer of Node processes")
}

// Bus returns the messages of all apps until ctx ends.
func (c *Client) Bus(ctx context.Context) iter.Seq2[app.Message, error] {
	return stream[app.Message](ctx, c, call{http.MethodGet, "/v1/bus", nil, nil}, "messages")
}

// Apply starts the apps of a file and changes those that exist.
func (c *Client) Apply(ctx context.Context, req app.ApplyRequest) iter.Seq2[app.Progress, error] {
	return stream[app.Progress](ctx, c, post("/v1/apply", req), "the apps of the file")
}

// Save keeps the list, for Resurrect.
func (c *Client) Save(ctx context.Context, req app.SaveRequest) (app.Saved, error) {
	return ask(ctx, c, post("/v1/save", req), wait{"the list to be saved", listCall}, readWhole[app.Saved])
}

// Resurrect starts what was saved and does not run.
func (c *Client) Resurrect(ctx context.Context) iter.Seq2[app.Progress, error] {
	return stream[app.Progress](ctx, c, post("/v1/resurrect", None{}), "what was saved")
}

// Flush empties log files.
func (c *Client) Flush(ctx context.Context, req app.FlushRequest) (app.Flushed, error) {
	return ask(ctx, c, post("/v1/logs/flush", req), wait{"log files to be emptied", listCall}, readWhole[app.Flushed])
}

// Reopen has all log files opened anew.
func (c *Client) Reopen(ctx context.Context) (app.Flushed, error) {
	return ask(ctx, c, post("/v1/logs/reopen", None{}), wait{"log files to be opened anew", listCall}, readWhole[app.Flushed])
}

// Input writes to the standard input of a process. It is not repeated: a line must not arrive twice.
func (c *Client) Input(ctx context.Context, req app.InputRequest) error {
	_, err := exchange(ctx, c, post("/v1/input", req), wait{"the process to read its input", listCall}, readWhole[None])
	return err
}

// Events returns events of the past and, with Follow, those to come until ctx ends.
func (c *Client) Events(ctx context.Context, q EventQuery) iter.Seq2[app.Event, error] {
	return func(yield func(app.Event, error) bool) {
		for again := true; again; {
			again = c.eventsOnce(ctx, &q, yield)
		}
	}
}

// eventsOnce is Events from one daemon. It reports that another is to be asked for what followed.
func (c *Client) eventsOnce(ctx context.Context, q *EventQuery, yield func(app.Event, error) bool) (again bool) {
	for ev, err := range stream[app.Event](ctx, c, call{http.MethodGet, "/v1/events", q.values(), nil}, "events") {
		if q.Follow && q.Since > 0 && errors.Is(err, errBroken) {
			c.seen.Store(true)
			return true
		}
		if !yield(ev, err) {
			return false
		}
		if err == nil {
			q.Since, q.Last = ev.Seq, 0
		}
	}
	return false
}

// Logs returns lines of the log files and, with Follow, those to come until ctx ends, also those that come
// while one daemon has died and the next is not there yet.
func (c *Client) Logs(ctx context.Context, q app.LogQuery) iter.Seq2[app.LogLine, error] {
	q.Places = q.Follow
	return func(yield func(app.LogLine, error) bool) {
		for again := true; again; {
			again = c.logsOnce(ctx, &q, yield)
		}
	}
}

// logsOnce is Logs from one daemon. It reports that another is to be asked for what followed.
func (c *Client) logsOnce(ctx context.Context, q *app.LogQuery, yield func(app.LogLine, error) bool) (again bool) {
	for line, err := range stream[app.LogLine](ctx, c, post("/v1/logs", *q), "log lines") {
		if q.Follow && q.From != nil && errors.Is(err, errBroken) {
			c.seen.Store(true)
			return true
		}
		if line.Place != "" {
			if q.From == nil {
				q.From = map[string]string{}
			}
			q.From[line.Source()] = line.Place
		}
		mark := line.Mark
		line.Place, line.Mark = "", false
		if !mark && !yield(line, err) {
			return false
		}
	}
	return false
}
