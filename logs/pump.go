package logs

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"gpm/app"
)

// ErrClosed is returned for a Pump that is closed.
var ErrClosed = errors.New("the log pump is closed")

// Pump moves bytes from pipes to log files. Safe for concurrent use.
type Pump struct {
	log     *slog.Logger
	alarm   func(Trouble)
	folders Folders
	files   *openFiles
	watch   watchers
	engine  *engine
	keeper  *keeper
	nothing *sink // for streams that are thrown away

	mu     sync.Mutex // guards the rest and the refs of sinks
	sinks  map[string]*sink
	spools map[string]bool // in use
	closed bool
}

// NewPump starts a Pump; Close ends it.
func NewPump(o Options) (*Pump, error) {
	p := &Pump{log: o.Log, alarm: o.OnTrouble, folders: o.Folders, files: newOpenFiles(DefaultMaxOpen), sinks: map[string]*sink{}, spools: map[string]bool{}}
	if o.MaxOpen > 0 {
		p.files.max = o.MaxOpen
	}
	if p.log == nil {
		p.log = slog.New(slog.DiscardHandler)
	}
	p.nothing = &sink{pump: p}
	p.nothing.policy.Store(&Policy{})
	p.keeper = newKeeper(o.Quota, p.log)
	e, err := newEngine()
	if err != nil {
		return nil, app.Errorf(app.CodeInternal, "cannot start the log pump: %w", err)
	}
	p.engine = e
	p.keeper.start()
	return p, nil
}

// Attach starts to move what arrives at r, the read end of a pipe, to the target.
// Streams of the same path share the file; their writes do not mix within a batch.
//
// r is taken over, also when its other end is closed already. On an error it is
// not: the caller may attach it to the zero Target, so that the process at the
// other end never blocks. A target that can never work is an *app.Error of code invalid.
func (p *Pump) Attach(r *os.File, t Target) (*Stream, error) {
	k, err := p.acquire(t)
	if err != nil {
		return nil, err
	}
	s := &Stream{pump: p, sink: k}
	if t.framed() {
		if err := s.setUpFrames(t); err != nil {
			s.releaseAll()
			return nil, err
		}
	}
	if err := p.engine.add(s, r); err != nil {
		s.releaseAll()
		return nil, app.Errorf(app.CodeInternal, "cannot read the output for %q: %w", t.Path, err)
	}
	p.keeper.look(k.path, t.Rotate) // an earlier daemon may have left something to compress
	return s, nil
}

// acquire finds or makes the sink of a target and counts one stream more.
func (p *Pump) acquire(t Target) (*sink, error) {
	k, path := p.nothing, ""
	if t.Path != "" && t.Path != os.DevNull {
		if err := checkTarget(t, p.folders); err != nil {
			return nil, err
		}
		path = canonical(t.Path, t.Owner)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, ErrClosed
	}
	if path != "" {
		if k = p.sinks[path]; k == nil {
			k = &sink{path: path, owner: t.Owner, pump: p}
			p.sinks[path] = k
		}
		k.policy.Store(&t.Rotate)
		if !slices.Contains(k.names, t.Path) {
			k.names = append(k.names, t.Path)
		}
	}
	k.refs++
	k.shared.Store(k.refs > 1)
	return k, nil
}

// claim makes sure that one stream at a time uses a spool; give returns it.
func (p *Pump) claim(spool string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.spools[spool] {
		return app.Errorf(app.CodeConflict, "cannot log through %q: another stream has the same key", spool)
	}
	p.spools[spool] = true
	return nil
}

func (p *Pump) give(spool string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.spools, spool)
}

// release counts one stream less; the last one closes the file.
func (p *Pump) release(k *sink) {
	p.mu.Lock()
	k.refs--
	k.shared.Store(k.refs > 1)
	gone := k.refs == 0 && k != p.nothing
	if gone {
		delete(p.sinks, k.path)
	}
	p.mu.Unlock()
	if gone {
		k.reopen() // a stream of the same path attached meanwhile has a sink of its own
	}
}

// canonical resolves symbolic links, so that one file is one sink whatever it is called. Those of a path that
// another user may change are left to the moment of opening.
func canonical(path string, owner *Owner) string {
	if owner != nil {
		return filepath.Clean(path)
	}
	if real, err := filepath.EvalSymlinks(path); err == nil {
		return real
	}
	dir, base := filepath.Split(path)
	if real, err := filepath.EvalSymlinks(dir); err == nil {
		return filepath.Join(real, base)
	}
	return filepath.Clean(path)
}

// sinkOf returns the attached file of a path, whoever owns it; nil = there is none.
func (p *Pump) sinkOf(path string) *sink {
	real := canonical(path, nil)
	p.mu.Lock()
	defer p.mu.Unlock()
	if k := p.sinks[real]; k != nil {
		return k
	}
	return p.sinks[filepath.Clean(path)]
}

// Reopen closes every log file; each is opened again, by its path, for its next
// byte. It is what a program that renames log files asks for afterwards.
func (p *Pump) Reopen() {
	for _, k := range p.all() {
		k.reopen()
	}
}

// Truncate empties log files, attached or not; one that does not exist is empty. Of
// the targets only path and owner count.
func (p *Pump) Truncate(files ...Target) error {
	var errs []error
	for _, t := range files {
		k := p.sinkOf(t.Path)
		if k == nil {
			errs = append(errs, truncatePath(canonical(t.Path, t.Owner), t.Owner))
			continue
		}
		errs = append(errs, k.truncate())
		p.watch.notify(k.path)
	}
	if err := errors.Join(errs...); err != nil {
		return app.Errorf(app.CodeStorage, "cannot empty the logs: %w", err)
	}
	return nil
}

// Failing returns what is wrong with the files that cannot be written now, by the
// paths that the targets name.
func (p *Pump) Failing() map[string]Trouble {
	p.mu.Lock()
	defer p.mu.Unlock()
	var out map[string]Trouble
	for _, k := range p.sinks {
		t := k.ill.Load()
		if t == nil {
			continue
		}
		if out == nil {
			out = map[string]Trouble{}
		}
		for _, name := range k.names {
			out[name] = *t
		}
	}
	return out
}

// Stats returns the counters of every attached file, sorted by path.
func (p *Pump) Stats() []Stats {
	var out []Stats
	for _, k := range p.all() {
		s := k.snapshot()
		p.mu.Lock()
		s.Streams = k.refs
		p.mu.Unlock()
		out = append(out, s)
	}
	slices.SortFunc(out, func(a, b Stats) int { return strings.Compare(a.Path, b.Path) })
	return out
}

func (p *Pump) all() []*sink {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := make([]*sink, 0, len(p.sinks))
	for _, k := range p.sinks {
		out = append(out, k)
	}
	return out
}

// Close stops moving bytes, waits for the threads and closes pipes and files. It
// does not drain: what is in a pipe stays there for the next daemon, as long as somebody
// else holds the pipe.
func (p *Pump) Close() error {
	p.mu.Lock()
	done := p.closed
	p.closed = true
	p.mu.Unlock()
	if done {
		return nil
	}
	err := p.engine.close()
	p.keeper.close()
	for _, k := range p.all() {
		k.reopen()
	}
	return err
}

func (p *Pump) trouble(t Trouble) {
	switch {
	case t.LeftOut > 0:
		p.log.Warn("Lines are left out", "path", t.Path, "lines", t.LeftOut)
	case t.Err != nil:
		p.log.Warn("Cannot write a log file", "path", t.Path, "err", t.Err)
	default:
		p.log.Info("Log file works again", "path", t.Path, "dropped", t.Dropped)
	}
	if p.alarm != nil {
		p.alarm(t)
	}
}
