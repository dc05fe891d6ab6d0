package logs

import (
	"cmp"
	"context"
	"iter"
	"os"
	"regexp"
	"slices"
	"time"

	"gpm/app"
)

// Source is one log file and how its lines are labelled.
type Source struct {
	Path   string // absolute
	ID     int
	Name   string
	Stream app.LogStream
	From   string // LogLine.Place of the last line that was delivered: go on after it; "" = the last lines
}

// Query selects lines of several files.
type Query struct {
	Sources []Source        // a path that occurs twice is read once, with the first label
	Lines   int             // last lines of each file, of those that the filters let through; negative = all
	Since   time.Time       // lines that arrived at or after; those of unknown time count as new enough
	Until   time.Time       // lines that arrived before; zero = no limit
	Grep    *regexp.Regexp  // lines that match; nil = all
	Follow  bool            // go on with what is written from now on, until the context ends
	Places  bool            // deliver LogLine.Place, and the first one of each log with its header line
	More    func() []Source // asked now and then, with Follow, for logs to add; nil = there will be no others
	Pump    *Pump           // tells at once what is written; nil = the files are looked at now and then
}

// Run delivers the last lines of each log, rotated files included, merged in the order of their arrival, after
// a header line for each log ([app.LogLine].File); then, with Follow, new lines as they
// arrive. It reads on only when the consumer asks for more, so a slow one costs no memory and
// loses nothing that stays on disk. An error concerns the file of the LogLine it comes with.
func (q Query) Run(ctx context.Context) iter.Seq2[app.LogLine, error] {
	return func(yield func(app.LogLine, error) bool) {
		r := newReader()
		defer r.close()
		for _, src := range byAge(q.Sources) {
			r.add(&followed{cursor: cursor{path: src.Path}, source: src})
		}
		r.line = func(f *followed, l app.LogLine) bool { return yield(l, nil) }
		r.query = q
		r.head = func(f *followed, mark bool) bool {
			l := f.label(app.LogLine{File: f.path, Mark: mark})
			r.mark(f, &l)
			return yield(l, nil)
		}
		r.fail = func(f *followed, err error) bool {
			return yield(f.label(app.LogLine{}), app.Errorf(app.CodeStorage, "cannot read the log %q: %w", f.path, err))
		}
		var watch *Watcher
		if q.Follow && q.Pump != nil {
			watch = q.Pump.Watch(r.paths()...) // before the history, so that nothing falls in between
			defer watch.Close()
		}
		if r.history(ctx) && q.Follow {
			r.follow(ctx, watch)
		}
	}
}

// byAge returns the sources without duplicates, the one written last at the end.
func byAge(sources []Source) []Source {
	seen := map[string]bool{}
	age := map[string]time.Time{}
	var out []Source
	for _, s := range sources {
		if seen[s.Path] {
			continue
		}
		seen[s.Path] = true
		out = append(out, s)
		if st, err := os.Stat(s.Path); err == nil {
			age[s.Path] = st.ModTime()
		}
	}
	slices.SortStableFunc(out, func(a, b Source) int { return age[a.Path].Compare(age[b.Path]) })
	return out
}

// Follow calls fn for each line of a file that is complete after from, until the
// context ends (its error is returned) or fn fails. The file may be truncated, renamed and
// made again, or not be there; a file other than the one of from is read from its
// beginning. p may be nil.
func Follow(ctx context.Context, p *Pump, path string, from Offset, fn func(Line) error) error {
	var failure error
	r := newReader()
	r.add(&followed{cursor: cursor{path: path, id: from.File, pos: from.Pos, scanned: from.Pos}})
	r.raw = func(l Line) bool {
		failure = fn(l)
		return failure == nil
	}
	r.fail = func(*followed, error) bool { return true } // it may pass
	defer r.close()
	var watch *Watcher
	if p != nil {
		watch = p.Watch(path)
		defer watch.Close()
	}
	r.follow(ctx, watch)
	return cmp.Or(failure, ctx.Err())
}
