package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"gpm/app"
	"gpm/ipc"
)

// cli is what every command shares: where it prints, and which daemon it talks to.
type cli struct {
	out, err io.Writer
	screen   screen // of out
	errStyle bool   // err takes colours

	role     role
	homeFlag string
	silent   bool
	noColour bool

	listing listOptions // how a list after an action looks

	acted  []string    // ids of what this command has done something to
	daemon *ipc.Client // nil before the first use
}

func newCLI(stdout, stderr io.Writer) *cli {
	return &cli{role: asGPM, out: stdout, err: stderr, screen: screenOf(stdout), errStyle: screenOf(stderr).terminal}
}

func (c *cli) close() {
	if c.daemon == nil {
		return
	}
	c.warnVersion(c.daemon.ServerVersion())
	c.daemon.Close()
}

// warnVersion mentions a daemon of another version: what it cannot do, it says itself.
func (c *cli) warnVersion(v string) {
	if v != "" && v != app.Version {
		c.warn("the daemon is of version %s, this command of %s; %s changes that without restarting anything", v, app.Version, c.command("gpm update"))
	}
}

// paint returns the colours for out.
func (c *cli) paint() painter { return painter(c.screen.terminal && c.coloured()) }

func (c *cli) coloured() bool { return !c.noColour && os.Getenv("NO_COLOR") == "" }

// say prints a message on the way to a result.
func (c *cli) say(format string, args ...any) {
	if c.silent {
		return
	}
	line := fmt.Sprintf(format, args...)
	if c.screen.terminal && c.screen.width > 0 {
		line = cut(line, c.screen.width-len(c.prefix()+" "))
	}
	fmt.Fprintln(c.out, c.paint().paint(green, c.prefix())+" "+line)
}

func (c *cli) warn(format string, args ...any) {
	c.complain(c.prefix()+"[WARN]", yellow, fmt.Sprintf(format, args...))
}

func (c *cli) complain(prefix string, s style, text string) {
	fmt.Fprintln(c.err, painter(c.errStyle && c.coloured()).paint(s, prefix)+" "+text)
}

// fail prints an error and what can be done about it.
func (c *cli) fail(err error) {
	if _, ok := errors.AsType[reported](err); ok {
		return
	}
	if errors.Is(err, context.Canceled) {
		err = errors.New("interrupted; what was asked for may still be going on")
	}
	e := app.AsError(err)
	text := e.Message
	if c.role == asPM2 {
		text = inTheirWords(text)
	}
	c.complain(c.prefix()+"[ERROR]", red, text)
	if e.Hint != "" {
		c.complain(c.prefix()+"[INFO]", cyan, c.command(e.Hint))
	}
}

// printJSON prints a value on one line.
func (c *cli) printJSON(v any) error {
	enc := json.NewEncoder(c.out)
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

// style is a colour or the like.
type style string

// The styles, as SGR codes of ECMA-48.
const (
	plain   style = ""
	bold    style = "1"
	grey    style = "90"
	red     style = "31"
	green   style = "32"
	yellow  style = "33"
	blue    style = "34"
	cyan    style = "36"
	head    style = "1;36" // bold cyan
	inverse style = "7"
)

// painter colours text, or does not.
type painter bool

func (p painter) paint(s style, text string) string {
	if !p || s == plain || text == "" {
		return text
	}
	return "\x1b[" + string(s) + "m" + text + "\x1b[0m"
}

// screen is what a writer is connected to.
type screen struct {
	terminal bool
	width    int // columns; 0 = not known
}

func screenOf(w io.Writer) screen {
	f, ok := w.(*os.File)
	if !ok {
		return screen{}
	}
	width, ok := terminalWidth(f)
	return screen{terminal: ok, width: width}
}

// jsList prints numbers as JavaScript would, as pm2's users know it: [ 0, 1 ].
func jsList(ids []int) string {
	if len(ids) == 0 {
		return "[]"
	}
	words := make([]string, len(ids))
	for i, id := range ids {
		words[i] = strconv.Itoa(id)
	}
	if len(ids) > inspectGroup {
		return "[\n  " + strings.Join(inspectColumns(words, 0, true), ",\n  ") + "\n]"
	}
	return "[ " + strings.Join(words, ", ") + " ]"
}

// aside prints a message beside the result: on stderr, so that a result that is read by a program stays whole.
func (c *cli) aside(format string, args ...any) {
	if !c.silent {
		c.complain(c.prefix(), green, fmt.Sprintf(format, args...))
	}
}
