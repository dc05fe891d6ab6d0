package pm2

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"
)

// Client calls the methods of a pm2 daemon, one at a time: for taking its apps over.
type Client struct {
	conn net.Conn
	r    *bufio.Reader
	next int
}

// NewClient takes over a connection to rpc.sock.
func NewClient(c net.Conn) *Client { return &Client{conn: c, r: bufio.NewReader(c)} }

// Close ends the connection.
func (c *Client) Close() error { return c.conn.Close() }

// RemoteError is what the daemon answered instead of a result.
type RemoteError struct{ Message string }

func (e *RemoteError) Error() string { return e.Message }

// Call runs a method and returns its first result. After an error that is no
// *RemoteError the connection is of no use any more.
func (c *Client) Call(ctx context.Context, method string, args ...any) (json.RawMessage, error) {
	raw, err := c.call(ctx, method, args)
	if cause := context.Cause(ctx); err != nil && cause != nil {
		err = cause // what broke the connection
	}
	if remote, ok := errors.AsType[*RemoteError](err); ok {
		return nil, remote
	}
	if err != nil {
		return nil, fmt.Errorf("cannot call %s of pm2: %w", method, err)
	}
	return raw, nil
}

func (c *Client) call(ctx context.Context, method string, args []any) (json.RawMessage, error) {
	defer context.AfterFunc(ctx, func() {
		_ = c.conn.SetDeadline(time.Unix(1, 0)) // in the past: what blocks ends
	})()
	c.next++
	id := "gpm:" + strconv.Itoa(c.next)
	arg, err := JSON(map[string]any{"type": "call", "method": method, "args": append([]any{}, args...)})
	if err != nil {
		return nil, err
	}
	if _, err := c.conn.Write(AppendMessage(nil, arg, Text(id))); err != nil {
		return nil, err
	}
	for {
		m, err := ReadMessage(c.r, MaxMessage)
		if err != nil {
			return nil, err
		}
		if got, _ := m.text(len(m) - 1); got == id {
			return result(m)
		}
	}
}

func result(m Message) (json.RawMessage, error) {
	var reply struct {
		Args  []json.RawMessage `json:"args"`
		Error string            `json:"error"`
	}
	if err := m.decode(0, &reply); err != nil {
		return nil, err
	}
	if reply.Error != "" {
		return nil, &RemoteError{reply.Error}
	}
	if len(reply.Args) == 0 {
		return nil, nil
	}
	return reply.Args[0], nil
}

// Live is a process of a running pm2.
type Live struct {
	ID     int
	PID    int // 0 without a process
	Config Config
}

// List returns the processes of the daemon whose home is given.
func (c *Client) List(ctx context.Context, home string) ([]Live, error) {
	raw, err := c.Call(ctx, "getMonitorData", map[string]any{})
	if err != nil {
		return nil, err
	}
	var elements []struct {
		ID  int            `json:"pm_id"`
		PID int            `json:"pid"`
		Env map[string]any `json:"pm2_env"`
	}
	if err := decodeNumbers(raw, &elements); err != nil {
		return nil, fmt.Errorf("cannot read the list of pm2: %w", err)
	}
	list := make([]Live, len(elements))
	for i, e := range elements {
		withoutIDs(e.Env)
		list[i] = Live{ID: e.ID, PID: e.PID}
		if list[i].Config, err = ParseConfig(e.Env, home); err != nil {
			return nil, err
		}
	}
	return list, nil
}
