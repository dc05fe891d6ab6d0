package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
)

// maxFrames is more of a stack than anybody reads.
const maxFrames = 50

// Frame is one call on a JavaScript stack. Line and column count from 1.
type Frame struct {
	Function string `json:"function,omitempty"` // empty for an anonymous one
	File     string `json:"file"`               // a path, or a URL such as node:internal/…
	Line     int    `json:"line"`
	Column   int    `json:"column"`
}

// String is the frame as Node prints it in a stack.
func (f Frame) String() string {
	place := fmt.Sprintf("%s:%d:%d", f.File, f.Line, f.Column)
	if f.Function == "" {
		return "at " + place
	}
	return "at " + f.Function + " (" + place + ")"
}

// Stack returns the JavaScript stack, innermost call first, of process pid whose
// event loop hangs. It opens the process's inspector, which it cannot close again:
// any user of the machine could run code in the process by it, so end the process
// at once. It works once for a process, on Linux, and only when the last Ping that
// was answered said [Pong.Stackable]; otherwise the error is ErrNoInspector.
// A process stuck within one native call has no stack to give until ctx ends.
func (c *Conn) Stack(ctx context.Context, pid int) ([]Frame, error) {
	c.mu.Lock()
	pong := c.lastPong
	c.mu.Unlock()
	if pong == nil {
		return nil, fmt.Errorf("cannot read the stack of process %d: %w: it never answered a ping", pid, ErrNoInspector)
	}
	if !pong.Stackable() {
		return nil, fmt.Errorf("cannot read the stack of process %d: %w: it uses SIGUSR1 or the inspector itself", pid, ErrNoInspector)
	}
	frames, err := readStack(ctx, pid)
	if err != nil {
		return nil, fmt.Errorf("cannot read the stack of process %d: %w", pid, errors.Join(err, context.Cause(ctx)))
	}
	return frames, nil
}

func readStack(ctx context.Context, pid int) ([]Frame, error) {
	address, err := wakeInspector(ctx, pid)
	if err != nil {
		return nil, err
	}
	target, err := debuggerURL(ctx, address)
	if err != nil {
		return nil, err
	}
	w, closeAll, err := dialWebsocket(ctx, target)
	if err != nil {
		return nil, err
	}
	defer closeAll()
	return pauseForStack(w)
}

// debuggerURL asks the inspector at address for the WebSocket of its one target.
func debuggerURL(ctx context.Context, address string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/json/list", nil)
	if err != nil {
		return "", err
	}
	req.Close = true
	// Its own transport: the default one may be told to use a proxy.
	resp, err := new(http.Transport).RoundTrip(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close() //nolint:errcheck // only read
	var targets []struct {
		URL string `json:"webSocketDebuggerUrl"`
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxLine)).Decode(&targets); err != nil {
		return "", err
	}
	if len(targets) == 0 {
		return "", errors.New("the inspector has no target")
	}
	return targets[0].URL, nil
}

// pauseForStack stops the loop at its next step. The process goes on when the
// connection closes.
func pauseForStack(w *websocket) ([]Frame, error) {
	for id, method := range []string{"Debugger.enable", "Debugger.pause"} {
		if err := w.send(map[string]any{"id": id + 1, "method": method}); err != nil {
			return nil, err
		}
	}
	scripts := map[string]string{}
	for {
		text, err := w.receive()
		if err != nil {
			return nil, err
		}
		var e event
		if json.Unmarshal(text, &e) != nil {
			continue
		}
		switch e.Method {
		case "Debugger.scriptParsed":
			scripts[e.Params.ScriptID] = e.Params.URL
		case "Debugger.paused":
			return e.frames(scripts), nil
		}
	}
}

// event is the part we read of the inspector's Debugger.scriptParsed and
// Debugger.paused. Lines and columns count from 0 there.
type event struct {
	Method string `json:"method"`
	Params struct {
		ScriptID string `json:"scriptId"`
		URL      string `json:"url"`
		Calls    []struct {
			Function string `json:"functionName"`
			Location struct {
				ScriptID string `json:"scriptId"`
				Line     int    `json:"lineNumber"`
				Column   int    `json:"columnNumber"`
			} `json:"location"`
		} `json:"callFrames"`
	} `json:"params"`
}

// frames is the stack of a pause. A call names only the ID of its script.
func (e event) frames(scripts map[string]string) []Frame {
	var frames []Frame
	for _, call := range e.Params.Calls[:min(maxFrames, len(e.Params.Calls))] {
		at := call.Location
		frames = append(frames, Frame{call.Function, pathOf(scripts[at.ScriptID]), at.Line + 1, at.Column + 1})
	}
	return frames
}

// pathOf turns a file URL into a path and leaves anything else alone.
func pathOf(address string) string {
	u, err := url.Parse(address)
	if err != nil || !strings.EqualFold(u.Scheme, "file") {
		return address
	}
	return filepath.FromSlash(u.Path)
}
