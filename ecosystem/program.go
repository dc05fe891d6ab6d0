package ecosystem

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"

	"gpm/app"
)

// Program is an [Engine] in a process of its own, for whoever does not want to link one. It runs what Path
// names for the time of one question; that program answers it by [ServeEngine].
type Program struct {
	Path func() (string, error) // absolute; asked only when a file needs the engine
}

// question is what the program reads: a script to evaluate, or the path of a file to bundle.
type question struct {
	Eval   *Script `json:"eval,omitempty"`
	Bundle string  `json:"bundle,omitempty"`
}

// answer is what it writes.
type answer struct {
	Text  string       `json:"text,omitempty"`  // what Eval or Bundle returns
	Wrong *ScriptError `json:"wrong,omitempty"` // a mistake in the script
	Error string       `json:"error,omitempty"` // any other failure
}

// Bundle implements Engine.
func (p Program) Bundle(ctx context.Context, file string) (string, error) {
	return p.ask(ctx, question{Bundle: file})
}

// Eval implements Engine.
func (p Program) Eval(ctx context.Context, s Script) ([]byte, error) {
	text, err := p.ask(ctx, question{Eval: &s})
	return []byte(text), err
}

func (p Program) ask(ctx context.Context, q question) (string, error) {
	path, err := p.Path()
	if err != nil {
		return "", app.Errorf(app.CodeInternal, "cannot use gpm's JavaScript engine: %w", err)
	}
	in, err := json.Marshal(q)
	if err != nil {
		return "", err
	}
	cmd := exec.CommandContext(ctx, path)
	ownTree(cmd)
	var out, said bytes.Buffer
	cmd.Env, cmd.Stdin, cmd.Stdout, cmd.Stderr, cmd.WaitDelay = []string{}, bytes.NewReader(in), &out, &said, exitGrace
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			return "", ctx.Err()
		}
		return "", app.Errorf(app.CodeInternal, "cannot use gpm's JavaScript engine: %w: %s", err, firstLine(said.String()))
	}
	var a answer
	if err := json.Unmarshal(out.Bytes(), &a); err != nil {
		return "", fmt.Errorf("cannot understand gpm's JavaScript engine: %w", err)
	}
	switch {
	case a.Wrong != nil:
		return "", a.Wrong
	case a.Error != "":
		return "", errors.New(a.Error)
	}
	return a.Text, nil
}

// ServeEngine answers the one question that a [Program] has put on in.
func ServeEngine(ctx context.Context, e Engine, in io.Reader, out io.Writer) error {
	var q question
	if err := json.NewDecoder(in).Decode(&q); err != nil {
		return fmt.Errorf("cannot read the question: %w", err)
	}
	var text string
	var err error
	if q.Eval != nil {
		var result []byte
		result, err = e.Eval(ctx, *q.Eval)
		text = string(result)
	} else {
		text, err = e.Bundle(ctx, q.Bundle)
	}
	a := answer{Text: text}
	if wrong, ok := errors.AsType[*ScriptError](err); ok {
		a.Wrong = wrong
	} else if err != nil {
		a.Error = err.Error()
	}
	return json.NewEncoder(out).Encode(a)
}
