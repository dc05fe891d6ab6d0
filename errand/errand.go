// Package errand runs a short command to its end on behalf of an app: bounded in time and in output, and with
// everything that it started.
package errand

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"time"
)

// User is who a command runs as.
type User struct {
	UID, GID uint32
	Groups   []uint32
}

// Command is what to run. A context bounds its time.
type Command struct {
	Argv   []string // one word alone is a line for the shell
	Dir    string
	Env    []string // the whole environment
	User   *User    // nil = whoever runs gpm
	Stdin  []byte
	Output int // how many bytes of its output to keep at most; the last ones
}

// stragglers is how long output is awaited from processes that the command has left behind.
const stragglers = 500 * time.Millisecond

// Run returns the end of what the command printed. The error says in a few words how it failed: "exit status 3", or
// the cause of the context's end.
func Run(ctx context.Context, c Command) (output string, err error) {
	if len(c.Argv) == 0 || strings.TrimSpace(c.Argv[0]) == "" {
		return "", errors.New("no command is given")
	}
	argv := c.Argv
	if len(argv) == 1 {
		argv = shell(argv[0])
	}
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Dir, cmd.Env, cmd.WaitDelay = c.Dir, c.Env, stragglers
	if len(c.Stdin) > 0 {
		cmd.Stdin = bytes.NewReader(c.Stdin)
	}
	tail := &tail{most: c.Output}
	cmd.Stdout, cmd.Stderr = tail, tail
	endWhole := isolate(cmd, c.User)
	err = cmd.Run()
	endWhole()
	return tail.String(), explain(ctx, err)
}

// explain prefers the reason for which a command was ended to the signal that did it.
func explain(ctx context.Context, err error) error {
	switch {
	case err == nil, errors.Is(err, exec.ErrWaitDelay):
		return nil
	case ctx.Err() != nil:
		return context.Cause(ctx)
	}
	return err
}

// tail keeps the end of what is written to it.
type tail struct {
	most int
	text []byte
}

func (t *tail) Write(p []byte) (int, error) {
	t.text = append(t.text, p[max(0, len(p)-t.most):]...)
	if over := len(t.text) - t.most; over > 0 {
		t.text = append(t.text[:0], t.text[over:]...)
	}
	return len(p), nil
}

// String is valid UTF-8 without space around it.
func (t *tail) String() string {
	return strings.TrimSpace(strings.ToValidUTF8(string(t.text), "\uFFFD"))
}

// LastLine is the last line of an output, in quotes and behind a colon, for the end of a sentence; "" if there is none.
func LastLine(output string) string {
	line := output[strings.LastIndexByte(output, '\n')+1:]
	if line == "" {
		return ""
	}
	const most = 200
	return fmt.Sprintf(": %.*q", most, line)
}
