package logs

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"time"

	"gpm/app"
)

// forwardRetry is how long a place that does not take lines is left alone.
const forwardRetry = time.Second

// sentName is the hidden file beside a log file that holds the place up to which its lines were handed on.
func sentName(path string) string {
	dir, base := filepath.Split(path)
	return filepath.Join(dir, "."+base+".sent")
}

// Forwarder hands the lines of a log file on to somewhere else. The file is the buffer: what cannot be handed on
// waits in it, until rotation removes it. How far it came outlives the process; a line may be handed on twice when
// the process is killed.
type Forwarder struct {
	source Source
	owner  *Owner
	pump   *Pump
	send   func(app.LogLine) error
	say    func(error) // when it begins to fail and, with nil, when it works again
	sent   *os.File
	failed bool
}

// NewForwarder begins at the present end of the log, or where an earlier Forwarder of it ended.
func NewForwarder(p *Pump, src Source, owner *Owner, send func(app.LogLine) error, say func(error)) (*Forwarder, error) {
	f, err := openLog(sentName(src.Path), owner)
	if err != nil {
		return nil, app.Errorf(app.CodeStorage, "cannot note what of %q is handed on: %w", src.Path, err)
	}
	w := &Forwarder{source: src, owner: owner, pump: p, send: send, say: say, sent: f}
	text, err := io.ReadAll(io.NewSectionReader(f, 0, 1<<10))
	if _, ok := parsePlace(string(text)); ok && err == nil {
		w.source.From = string(text)
		return w, nil
	}
	chain, err := chainOf(src.Path)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	live := chain[len(chain)-1]
	at := place{file: live.id, pos: live.size}
	if len(chain) > 1 {
		at.seen = chain[len(chain)-2].at
	}
	return w, w.note(at.String())
}

// note remembers that the lines up to a place are handed on.
func (w *Forwarder) note(at string) error {
	w.source.From = at
	_, err := w.sent.WriteAt([]byte(at+"\n"), 0)
	return err
}

// Run hands lines on until ctx ends; then, until rest ends, what is there already, also a last line without an end. A
// caller whose successor goes on with the log lets rest end first.
func (w *Forwarder) Run(ctx, rest context.Context) {
	w.run(ctx, Query{Follow: true, Pump: w.pump})
	w.run(rest, Query{Lines: -1})
	_ = w.sent.Close() // every line of it is written
}

// Forget removes the note of a log whose app is deleted. After Run.
func (w *Forwarder) Forget() error { return removeAll(sentName(w.source.Path)) }

func (w *Forwarder) run(ctx context.Context, q Query) {
	for ctx.Err() == nil {
		q.Sources, q.Places = []Source{w.source}, true
		if !w.pass(ctx, q) {
			return
		}
		select {
		case <-ctx.Done():
		case <-time.After(forwardRetry):
		}
	}
}

// pass hands on what a query finds; again says that it is to be run again after a while.
func (w *Forwarder) pass(ctx context.Context, q Query) (again bool) {
	for line, err := range q.Run(ctx) {
		if err == nil && line.File == "" {
			place := line.Place
			line.Place = ""
			if err = w.send(line); err == nil {
				err = w.note(place)
			}
		}
		if failed := err != nil; failed != w.failed {
			w.failed = failed
			w.say(err)
		}
		if err != nil {
			return true
		}
	}
	return false
}
