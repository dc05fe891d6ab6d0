package daemon

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"gpm/app"
	"gpm/errand"
)

// hooks tells commands and web addresses what happens to apps. It never delays an app: what cannot be told in time
// is left out, and said so.
type hooks struct {
	d     *Daemon
	queue chan call
}

// call is one hook that is to hear of one thing.
type call struct {
	hook app.Hook
	note note
}

// note is what a hook gets. Nothing of an app's environment, arguments or output is in it.
type note struct {
	Event     app.HookEvent `json:"event"`
	At        time.Time     `json:"at"`
	App       string        `json:"app"`
	Namespace string        `json:"namespace"`
	ID        int           `json:"id"`
	PID       int           `json:"pid,omitempty"`
	State     app.State     `json:"state"`
	Restarts  int           `json:"restarts"`
	Reason    string        `json:"reason,omitempty"`
	Exit      *app.Exit     `json:"exit,omitempty"`
	Host      string        `json:"host,omitempty"`
}

const (
	hookQueue    = 1024 // notes that wait
	hookParallel = 16   // notes that are being told
	hookTimeout  = 10 * time.Second
	hookPause    = time.Second // before the second try; doubled for each
	hookPauseMax = 30 * time.Second
	hookOutput   = 1 << 10 // what is looked at of a command's output
)

func newHooks(d *Daemon) *hooks { return &hooks{d: d, queue: make(chan call, hookQueue)} }

// checkHooks refuses hooks that can never be carried out.
func checkHooks(spec app.Spec) error {
	for _, h := range spec.Hooks {
		if err := checkHook(h); err != nil {
			return app.Errorf(app.CodeInvalid, "cannot add a hook to %q: %w", spec.Name, err).
				WithHint("like exit: a command, or errored: https://example.org/alert")
		}
	}
	return nil
}

func checkHook(h app.Hook) error {
	switch {
	case !slices.Contains(app.HookEvents(), h.On):
		return fmt.Errorf("there is no event %q; events are %s", h.On, joinWords(app.HookEvents()))
	case (h.URL == "") == (len(h.Run) == 0):
		return fmt.Errorf("the one on %s needs either a command or a url", h.On)
	case h.Timeout < 0 || h.Retries < 0:
		return fmt.Errorf("the one on %s has a negative number", h.On)
	case h.URL == "" && strings.TrimSpace(h.Run[0]) == "":
		return fmt.Errorf("the command of the one on %s is empty", h.On)
	case h.URL == "":
		return nil
	}
	u, err := url.Parse(h.URL)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return fmt.Errorf("the one on %s has no URL of http or https", h.On)
	}
	return nil
}

func joinWords[T ~string](words []T) string {
	var out []string
	for _, w := range words {
		out = append(out, string(w))
	}
	return strings.Join(out, ", ")
}

// hookEvents says which hooks hear of an event.
func hookEvents(ev app.Event) []app.HookEvent {
	switch ev.Kind {
	case app.EventStart:
		return []app.HookEvent{app.OnStart}
	case app.EventExit:
		if ev.Exit != nil && ev.Exit.OOM {
			return []app.HookEvent{app.OnExit, app.OnLimit}
		}
		return []app.HookEvent{app.OnExit}
	case app.EventErrored:
		return []app.HookEvent{app.OnErrored}
	case app.EventUnhealthy:
		return []app.HookEvent{app.OnUnhealthy}
	case app.EventLimit:
		return []app.HookEvent{app.OnLimit}
	}
	return nil
}

// hear takes events of an instance. It never blocks.
func (h *hooks) hear(a *application, st app.Status, events []app.Event) {
	wanted := a.spec().Hooks
	if len(wanted) == 0 {
		return
	}
	for _, ev := range events {
		for _, on := range hookEvents(ev) {
			for _, hook := range wanted {
				if hook.On == on {
					h.enqueue(call{hook, noteOf(on, a.complete(st), ev)})
				}
			}
		}
	}
}

func noteOf(on app.HookEvent, st app.Status, ev app.Event) note {
	n := note{
		Event: on, At: ev.At, App: st.Name, Namespace: st.Namespace, ID: st.ID, PID: ev.PID, State: st.State, Restarts: st.Restarts,
		Reason: ev.Reason, Exit: ev.Exit,
	}
	if on == app.OnLimit && n.Reason == "" {
		n.Reason = "out of memory" // the limit's own events say more
	}
	if n.At.IsZero() {
		n.At = time.Now()
	}
	n.Host, _ = os.Hostname() //nolint:errcheck // a machine without a name is not named
	return n
}

func (h *hooks) enqueue(c call) {
	select {
	case h.queue <- c:
	default:
		h.d.cfg.Log.Warn("Too many hooks wait; one is left out", "app", c.note.App, "event", c.note.Event)
	}
}

// run carries hooks out until ctx ends.
func (h *hooks) run(ctx context.Context) {
	var parts sync.WaitGroup
	defer parts.Wait()
	for range hookParallel {
		parts.Go(func() {
			for {
				select {
				case <-ctx.Done():
					return
				case c := <-h.queue:
					h.tell(ctx, c)
				}
			}
		})
	}
}

// tell tries until it works or the tries are used up, which is an event of its own.
func (h *hooks) tell(ctx context.Context, c call) {
	var err error
	for try := range c.hook.Retries + 1 {
		if try > 0 {
			sleep(ctx, min(hookPause<<min(try-1, 10), hookPauseMax))
		}
		if ctx.Err() != nil {
			return
		}
		if err = h.once(ctx, c); err == nil {
			return
		}
	}
	if ctx.Err() != nil {
		return
	}
	words := fmt.Sprintf("cannot tell %s of %s: %s", target(c.hook), c.hook.On, err)
	h.d.journal.Event(app.Event{Kind: app.EventHook, ID: c.note.ID, Name: c.note.App, Reason: words})
}

// target names a hook without what may be secret in it.
func target(h app.Hook) string {
	if h.URL == "" {
		return fmt.Sprintf("%q", h.Run[0])
	}
	if u, err := url.Parse(h.URL); err == nil {
		return u.Host
	}
	return "its web address"
}

func (h *hooks) once(ctx context.Context, c call) error {
	limit := cmp.Or(c.hook.Timeout, hookTimeout)
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("it took longer than %s", limit))
	defer cancel()
	body, err := json.Marshal(c.note)
	if err != nil {
		return err
	}
	if c.hook.URL != "" {
		return post(ctx, c.hook.URL, body)
	}
	body = append(body, '\n') // so that what is appended to a file is a file of lines
	output, err := errand.Run(ctx, errand.Command{Argv: c.hook.Run, Dir: h.d.cfg.Home, Env: hookEnv(os.Environ(), c.note), Stdin: body, Output: hookOutput})
	if err != nil {
		return fmt.Errorf("%w%s", err, errand.LastLine(output))
	}
	return nil
}

// hookEnv is what a command finds in its environment: enough to find programs, and the event.
func hookEnv(ours []string, n note) []string {
	var env []string
	for _, kv := range ours {
		name, _, _ := strings.Cut(kv, "=")
		if slices.Contains([]string{"PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "TZ", "TMPDIR", "GPM_HOME", "SYSTEMROOT", "PATHEXT", "COMSPEC", "TEMP"}, strings.ToUpper(name)) {
			env = append(env, kv)
		}
	}
	env = append(env, "GPM_EVENT="+string(n.Event), "GPM_APP="+n.App, "GPM_ID="+strconv.Itoa(n.ID), "GPM_PID="+strconv.Itoa(n.PID),
		"GPM_STATE="+n.State.String(), "GPM_REASON="+strings.ReplaceAll(n.Reason, "\x00", ""))
	if n.Exit != nil {
		env = append(env, "GPM_EXIT="+n.Exit.String(), "GPM_EXIT_CODE="+strconv.Itoa(n.Exit.Code), "GPM_EXIT_SIGNAL="+n.Exit.Signal)
	}
	return env
}

// post sends an event. The error does not repeat the address, parts of which may be secret.
func post(ctx context.Context, address string, body []byte) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return errors.New("its address is no URL")
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "gpm/"+app.Version)
	res, err := http.DefaultClient.Do(req)
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		err = wrapped.Err
	}
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case err != nil:
		return err
	}
	defer res.Body.Close()
	if res.StatusCode >= http.StatusMultipleChoices {
		return fmt.Errorf("it answers %s", res.Status)
	}
	return nil
}

// tell records something that happened to an instance, and has its hooks hear of it.
func (d *Daemon) tell(a *application, id int, kind app.EventKind, why string) {
	m := a.group.Member(id)
	if m == nil {
		return
	}
	st := m.Status()
	ev := app.Event{Kind: kind, ID: id, Name: a.spec().Name, PID: st.PID, Reason: why}
	d.journal.Event(ev)
	d.hooks.hear(a, st, []app.Event{ev})
}
