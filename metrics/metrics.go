// Package metrics measures what process trees consume, only when somebody looks.
//
// [Sampler.Sample] reads the process table in one pass and adds it up by tree;
// [Sampler.Detail] asks for the costly figures of one tree; [Sampler.Host] is the
// machine as a whole. There is no background goroutine: nobody looks, nothing runs.
package metrics

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"gpm/app"
)

// fresh is how long a look at the process table serves later ones.
const fresh = time.Second

// Sampler holds the last two looks at the process table. It is safe for
// concurrent use; looks that come together share one.
type Sampler struct {
	mu   sync.Mutex
	base table // the look that differences are taken from
	last table
	host hostSampler
	scan func([]proc) (table, error)
}

// New returns a Sampler. It measures nothing before it is asked.
func New() *Sampler { return &Sampler{scan: scan} }

// proc is one line of the process table.
type proc struct {
	pid, ppid int
	born      time.Duration // on the table's clock
	cpu       time.Duration // user and system, the process's own
	rss       int64         // bytes
	threads   int
}

// table is one look at all processes of the machine.
type table struct {
	procs []proc        // in the order of pid
	next  []int         // index of the next sibling, or -1
	child []int         // index of the first child, or -1
	now   time.Duration // when, on a clock that also runs while the machine sleeps
	at    time.Time     // when, on our clock; zero: never
}

// link finds parents and children, once for each look.
func (t *table) link() {
	n := len(t.procs)
	t.next, t.child = make([]int, n), make([]int, n)
	for i := range n {
		t.child[i] = -1
	}
	for i, p := range t.procs {
		t.next[i] = -1
		// A process is no parent of an older one: the pid was used again meanwhile.
		if parent, ok := t.find(p.ppid); ok && parent != i && t.procs[parent].born <= p.born {
			t.next[i], t.child[parent] = t.child[parent], i
		}
	}
}

func (t *table) find(pid int) (int, bool) {
	return slices.BinarySearchFunc(t.procs, pid, func(p proc, pid int) int { return cmp.Compare(p.pid, pid) })
}

// tree returns the indexes of the roots that exist and of all their descendants, each once.
func (t *table) tree(roots []int) []int {
	var found []int
	seen := map[int]bool{}
	add := func(i int) {
		if !seen[i] {
			seen[i] = true
			found = append(found, i)
		}
	}
	for _, pid := range roots {
		if i, ok := t.find(pid); ok {
			add(i)
		}
	}
	for k := 0; k < len(found); k++ { // found grows meanwhile
		for c := t.child[found[k]]; c >= 0; c = t.next[c] {
			add(c)
		}
	}
	return found
}

// usage adds up a tree. CPU is the difference to base; for processes that were
// never looked at before, the average since the oldest of them began.
func (t *table) usage(roots []int, base *table) (u app.Usage, ok bool) {
	var used, total, oldest time.Duration
	known := false
	for _, i := range t.tree(roots) {
		p := t.procs[i]
		u.Processes++
		u.Threads += p.threads
		u.RSS += p.rss
		total += p.cpu
		oldest = max(oldest, t.now-p.born)
		before, seen := base.same(p)
		known = known || seen
		used += max(0, p.cpu-before)
	}
	u.CPUTimeMS = total.Milliseconds()
	span := t.now - base.now
	if !known {
		used, span = total, oldest
	}
	if span > 0 {
		u.CPU = 100 * float64(used) / float64(span)
	}
	return u, u.Processes > 0
}

// same returns the CPU time of p as this table saw it; a pid alone is not a process.
func (t *table) same(p proc) (cpu time.Duration, ok bool) {
	i, ok := t.find(p.pid)
	if !ok || t.procs[i].born != p.born {
		return 0, false
	}
	return t.procs[i].cpu, true
}

// Sample returns what each tree consumes, by instance id: its roots (the leader
// and escapees that are known) and all their descendants. A tree of which no process is
// left is missing. The figures are at most one second old.
func (s *Sampler) Sample(ctx context.Context, roots map[int][]int) map[int]app.Usage {
	return s.sample(ctx, roots, fresh)
}

// Latest is Sample with figures that are at most a tenth of a second old.
func (s *Sampler) Latest(ctx context.Context, roots map[int][]int) map[int]app.Usage {
	return s.sample(ctx, roots, 0)
}

// sample is Sample with figures that are at most so old, or a tenth of a second.
func (s *Sampler) sample(ctx context.Context, roots map[int][]int, oldest time.Duration) map[int]app.Usage {
	s.mu.Lock()
	defer s.mu.Unlock()
	if ctx.Err() == nil {
		s.look(roots, oldest)
	}
	all := make(map[int]app.Usage, len(roots))
	for id, pids := range roots {
		if u, ok := s.last.usage(pids, &s.base); ok {
			all[id] = u
		}
	}
	return all
}

// look reads the process table unless the last look serves. A failed one leaves
// the last, which soon lacks the processes that are new.
func (s *Sampler) look(roots map[int][]int, oldest time.Duration) {
	age := time.Since(s.last.at)
	stale := s.last.at.IsZero() || age >= fresh
	if !stale && (age < fresh/10 || age < oldest && s.last.knows(roots)) {
		return
	}
	var spare []proc
	if stale {
		spare = s.base.procs[:0]
	}
	t, err := s.scan(spare)
	if err != nil {
		return
	}
	t.at = time.Now()
	t.link()
	if stale { // else the base stays: a difference over a few ticks says nothing
		s.base = s.last
	}
	s.last = t
}

// knows says whether each tree has a process in this table: one that was started
// just now has not.
func (t *table) knows(roots map[int][]int) bool {
	for _, pids := range roots {
		for _, pid := range pids {
			if _, ok := t.find(pid); !ok {
				return false
			}
		}
	}
	return true
}
