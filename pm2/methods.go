package pm2

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"time"

	"gpm/app"
)

// handler answers one method: with the results, which are the arguments of the
// client's callback after its error.
type handler func(ctx context.Context, s *Server, a args) ([]any, error)

// method is a row of the table of methods.
type method struct {
	name   string
	params []string // what the answer to {type: "methods"} says
	handle handler
}

// methods is everything a client can call.
func methods() []method {
	return []method{
		{"ping", params("env"), ping},
		{"getVersion", params("env"), getVersion},
		{"getReport", params("arg"), getReport},
		{"getMonitorData", params("env"), getMonitorData},
		{"getSystemData", params("env"), getSystemData},

		{"prepare", params("env"), prepare},
		{"startProcessId", params("id"), onID(Backend.StartID)},
		{"stopProcessId", params("id"), onID(Backend.Stop)},
		{"deleteProcessId", params("id"), onID(Backend.Delete)},
		{"duplicateProcessId", params("id"), onID(Backend.Duplicate)},
		{"restartProcessId", params("opts"), onChange(Backend.Restart)},
		{"reloadProcessId", params("opts"), onChange(Backend.Reload)},
		{"softReloadProcessId", params("opts"), onChange(Backend.Reload)},
		{"resetMetaProcessId", params("id"), resetMeta},
		{"startWatch", params("method", "value"), watch(WatchOn)},
		{"stopWatch", params("method", "value"), watch(WatchOff)},
		{"toggleWatch", params("method", "value"), watch(WatchToggle)},

		{"sendSignalToProcessId", params("opts"), signalID},
		{"sendSignalToProcessName", params("opts"), signalName},
		{"sendDataToProcessId", params("packet"), sendData},
		{"sendLineToStdin", params("packet"), sendLine},
		{"msgProcess", params("cmd"), trigger},

		{"reloadLogs", params("opts"), reloadLogs},
		{"notifyByProcessId", params("opts"), nothing}, // the daemon tells of its events by itself
		{"notifyKillPM2", nil, notifyKill},
		{"killMe", nil, killMe},
		{"profileCPU", nil, refuse("the daemon is no Node program: profile the app instead")},
		{"profileMEM", nil, refuse("the daemon is no Node program: profile the app instead")},
		{"monitor", params("pm_id"), refuse("pm2.io is not supported")},
		{"unmonitor", params("pm_id"), refuse("pm2.io is not supported")},
	}
}

func params(names ...string) []string { return append(names, "cb") }

func find(name string) (handler, error) {
	for _, m := range methods() {
		if m.name == name {
			return m.handle, nil
		}
	}
	if name == "" {
		return nil, fmt.Errorf(".method required")
	}
	return nil, fmt.Errorf("method %q does not exist", name)
}

func methodList() any {
	type entry struct {
		Name   string   `json:"name"`
		Params []string `json:"params"`
	}
	list := &Object{}
	for _, m := range methods() {
		list.Set(m.name, entry{m.name, append([]string{}, m.params...)})
	}
	return map[string]any{"methods": list}
}

func ping(context.Context, *Server, args) ([]any, error) {
	return []any{map[string]any{"msg": "pong"}}, nil
}

func getVersion(_ context.Context, s *Server, _ args) ([]any, error) {
	return []any{orElse(s.Version, Speaks)}, nil
}

// getReport leaves the daemon's environment out: reports are pasted in public.
func getReport(ctx context.Context, s *Server, _ args) ([]any, error) {
	d, err := s.Backend.Daemon(ctx)
	r := &Object{}
	r.Set("pm2_version", orElse(s.Version, Speaks)+" (gpm "+d.Version+")")
	r.Set("node_version", runtime.Version())
	r.Set("node_path", "")
	r.Set("argv0", os.Args[0])
	r.Set("argv", os.Args)
	r.Set("uid", os.Getuid())
	r.Set("gid", os.Getgid())
	r.Set("env", map[string]string{"PM2_HOME": s.View.Home})
	r.Set("managed_apps", d.Processes)
	r.Set("started_at", milli(d.Started))
	return []any{r}, err
}

func getMonitorData(ctx context.Context, s *Server, _ args) ([]any, error) {
	list, err := s.Backend.List(ctx)
	return []any{s.elements(list)}, err
}

func getSystemData(ctx context.Context, s *Server, _ args) ([]any, error) {
	h, err := s.Backend.Host(ctx)
	return []any{HostMetrics(h)}, err
}

func prepare(ctx context.Context, s *Server, a args) ([]any, error) {
	raw, err := a.object(0)
	if err != nil {
		return nil, err
	}
	c, err := ParseConfig(raw, s.View.Home)
	if err != nil {
		return nil, err
	}
	list, err := s.Backend.Start(ctx, c)
	return []any{s.elements(list)}, err
}

func onID(do func(Backend, context.Context, int) (Process, error)) handler {
	return func(ctx context.Context, s *Server, a args) ([]any, error) {
		id, err := a.id(0)
		if err != nil {
			return nil, err
		}
		p, err := do(s.Backend, ctx, id)
		return []any{Element(p, s.View)}, err
	}
}

// onChange takes {id, env}, where env holds variables and, as current_conf, settings.
func onChange(do func(Backend, context.Context, int, Config) (Process, error)) handler {
	return func(ctx context.Context, s *Server, a args) ([]any, error) {
		opts, err := a.object(0)
		if err != nil {
			return nil, err
		}
		id, err := idOf(opts["id"])
		if err != nil {
			return nil, err
		}
		env, _ := opts["env"].(map[string]any)
		c, err := ParseChange(env, s.View.Home)
		if err != nil {
			return nil, err
		}
		p, err := do(s.Backend, ctx, id, c)
		return []any{Element(p, s.View)}, err
	}
}

func resetMeta(ctx context.Context, s *Server, a args) ([]any, error) {
	id, err := a.id(0)
	if err != nil {
		return nil, err
	}
	if err := s.Backend.Reset(ctx, id); err != nil {
		return nil, err
	}
	return getMonitorData(ctx, s, a)
}

// watch takes (method, id or {id, …}). Before a kill a client passes its own pid
// instead: then there is nothing to do.
func watch(w Watch) handler {
	return func(ctx context.Context, s *Server, a args) ([]any, error) {
		done := []any{map[string]any{"success": true}}
		if opts, err := a.object(1); err == nil && opts["id"] == nil {
			return done, nil
		}
		id, err := a.id(1)
		if err != nil {
			return nil, err
		}
		return done, s.Backend.Watch(ctx, id, w)
	}
}

func signalID(ctx context.Context, s *Server, a args) ([]any, error) {
	opts, err := a.object(0)
	if err != nil {
		return nil, err
	}
	id, err := idOf(opts["process_id"])
	if err != nil {
		return nil, err
	}
	if err := s.Backend.Signal(ctx, id, signalOf(opts)); err != nil {
		return nil, err
	}
	return getMonitorData(ctx, s, a)
}

func signalName(ctx context.Context, s *Server, a args) ([]any, error) {
	opts, err := a.object(0)
	if err != nil {
		return nil, err
	}
	list, err := s.Backend.List(ctx)
	if err != nil {
		return nil, err
	}
	found := false
	for _, p := range list {
		if p.Name == opts["process_name"] {
			found = true
			if err := s.Backend.Signal(ctx, p.ID, signalOf(opts)); err != nil {
				return nil, err
			}
		}
	}
	if !found {
		return nil, app.Errorf(app.CodeNotFound, "cannot find process %q", fmt.Sprint(opts["process_name"]))
	}
	return getMonitorData(ctx, s, a)
}

func signalOf(opts map[string]any) string {
	if n, ok := opts["signal"].(json.Number); ok {
		return n.String()
	}
	name, _ := opts["signal"].(string)
	return name
}

// sendData takes {id, type, data, topic}; the app gets it whole, as its message.
func sendData(ctx context.Context, s *Server, a args) ([]any, error) {
	opts, err := a.object(0)
	if err != nil {
		return nil, err
	}
	id, err := idOf(opts["id"])
	if err != nil {
		return nil, err
	}
	if opts["topic"] == nil || opts["data"] == nil {
		return nil, app.Errorf(app.CodeInvalid, "cannot send to process %d: the packet needs topic and data", id)
	}
	err = s.Backend.SendData(ctx, id, a[0])
	done := &Object{}
	done.Set("success", true)
	done.Set("data", a[0])
	return []any{done}, err
}

func sendLine(ctx context.Context, s *Server, a args) ([]any, error) {
	opts, err := a.object(0)
	if err != nil {
		return nil, err
	}
	id, err := idOf(opts["pm_id"])
	if err != nil {
		return nil, err
	}
	line, _ := opts["line"].(string)
	return []any{a[0]}, s.Backend.SendLine(ctx, id, line)
}

// triggerPause is how long the client has to take in how many processes will reply: it counts the replies, which come on
// another socket, only from then on, and waits for ever for one that it has missed.
const triggerPause = 100 * time.Millisecond

// trigger takes {id or name, msg, opts, uuid}.
func trigger(ctx context.Context, s *Server, a args) ([]any, error) {
	var cmd struct {
		ID   any             `json:"id"`
		Name string          `json:"name"`
		Msg  string          `json:"msg"`
		Opts json.RawMessage `json:"opts"`
		UUID string          `json:"uuid"`
	}
	if err := a.into(0, &cmd); err != nil {
		return nil, err
	}
	t := Trigger{ID: -1, Name: cmd.Name, Action: cmd.Msg, Param: cmd.Opts, UUID: cmd.UUID}
	if cmd.ID != nil {
		id, err := idOf(cmd.ID)
		if err != nil {
			return nil, err
		}
		t.ID = id
	}
	n, send, err := s.Backend.Trigger(ctx, t)
	if err == nil {
		later(ctx, func() {
			select {
			case <-time.After(triggerPause):
			case <-ctx.Done():
			}
			send()
		})
	}
	return []any{map[string]any{"process_count": n, "success": true}}, err
}

func reloadLogs(ctx context.Context, s *Server, _ args) ([]any, error) {
	return []any{map[string]any{}}, s.Backend.ReloadLogs(ctx)
}

func nothing(context.Context, *Server, args) ([]any, error) { return []any{}, nil }

func notifyKill(_ context.Context, s *Server, _ args) ([]any, error) {
	s.Backend.NotifyKill()
	return nil, errNoAnswer
}

// killMe is answered by the end of the connection: a client that asks for it
// waits for no words, and some stumble over them.
func killMe(ctx context.Context, s *Server, _ args) ([]any, error) {
	if err := s.Backend.Kill(ctx); err != nil {
		return nil, err
	}
	return nil, errNoAnswer
}

func refuse(why string) handler {
	return func(context.Context, *Server, args) ([]any, error) {
		return nil, app.Errorf(app.CodeInvalid, "%s", why)
	}
}

func (s *Server) elements(list []Process) []*Object {
	out := make([]*Object, len(list))
	for i, p := range list {
		out[i] = Element(p, s.View)
	}
	return out
}

// args are the arguments of a call.
type args []json.RawMessage

func (a args) into(i int, v any) error {
	if i >= len(a) {
		return app.Errorf(app.CodeInvalid, "cannot run the call: argument %d is missing", i+1)
	}
	if err := decodeNumbers(a[i], v); err != nil {
		return app.Errorf(app.CodeInvalid, "cannot run the call: argument %d: %w", i+1, err)
	}
	return nil
}

func (a args) object(i int) (map[string]any, error) {
	var o map[string]any
	return o, a.into(i, &o)
}

// id returns argument i, an id or {id: …}.
func (a args) id(i int) (int, error) {
	var v any
	if err := a.into(i, &v); err != nil {
		return 0, err
	}
	if o, ok := v.(map[string]any); ok {
		v = o["id"]
	}
	return idOf(v)
}

// idOf takes an id as a number or, from the command line, as text.
func idOf(v any) (int, error) {
	if id, err := strconv.Atoi(fmt.Sprint(v)); err == nil && id >= 0 {
		return id, nil
	}
	return 0, app.Errorf(app.CodeNotFound, "cannot find a process with id %v", v)
}
