package logs

import (
	"log/slog"
	"maps"
	"path/filepath"
	"slices"
	"sync"
	"time"
)

// sweepEvery is how often all known directories are looked at, for archives that
// have become too old.
const sweepEvery = 10 * time.Minute

// maxPause is how long the remover rests at most while it has something to do.
const maxPause = 2 * time.Second

// keeper removes and compresses rotated files: one goroutine that lists and
// removes at once, and one that compresses when there is nothing more urgent.
type keeper struct {
	quota int64
	log   *slog.Logger
	wg    sync.WaitGroup
	stop  chan struct{}
	wake  chan struct{} // to the remover: dirty is not empty
	work  chan struct{} // to the compressor: jobs is not empty

	mu      sync.Mutex // guards the rest
	rules   map[string]Policy
	dirty   map[string]bool
	jobs    []job
	writing string // the temporary file of the compression that goes on
}

// job is a file to compress.
type job struct {
	path string // plain
	kind Compression
}

func newKeeper(quota int64, log *slog.Logger) *keeper {
	return &keeper{
		quota: quota, log: log, stop: make(chan struct{}), wake: make(chan struct{}, 1), work: make(chan struct{}, 1),
		rules: map[string]Policy{}, dirty: map[string]bool{},
	}
}

func (h *keeper) start() {
	h.wg.Go(h.remover)
	h.wg.Go(h.compressor)
}

// close ends both; a compression is given up and done again another time.
func (h *keeper) close() {
	close(h.stop)
	h.wg.Wait()
}

// look asks to see to the archives of a log file.
func (h *keeper) look(path string, p Policy) {
	if path == "" || p == (Policy{}) {
		return
	}
	h.mu.Lock()
	h.rules[path] = p
	h.dirty[filepath.Dir(path)] = true
	h.mu.Unlock()
	nudge(h.wake)
}

func nudge(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

func (h *keeper) remover() {
	sweep := time.NewTicker(sweepEvery)
	defer sweep.Stop()
	for {
		select {
		case <-h.stop:
			return
		case <-h.wake:
		case <-sweep.C:
			h.all()
		}
		start := time.Now()
		h.tidy()
		// Large directories are slow to list: not all the time is spent on it. But a disk
		// must not fill meanwhile.
		if !h.pause(min(9*time.Since(start), maxPause)) {
			return
		}
	}
}

func (h *keeper) pause(d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-h.stop:
		return false
	case <-t.C:
		return true
	}
}

// all makes every known directory dirty.
func (h *keeper) all() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for path := range h.rules {
		h.dirty[filepath.Dir(path)] = true
	}
}

// tidy removes what the policies of the dirty directories do not keep, then what
// the quota does not, and queues the rest for compression.
func (h *keeper) tidy() {
	h.mu.Lock()
	dirs := slices.Collect(maps.Keys(h.dirty))
	clear(h.dirty)
	if h.quota > 0 { // it is about all of them
		for path := range h.rules {
			if d := filepath.Dir(path); !slices.Contains(dirs, d) {
				dirs = append(dirs, d)
			}
		}
	}
	rules := maps.Clone(h.rules)
	h.mu.Unlock()
	var kept []archive
	var jobs []job
	room := h.quota
	for _, dir := range dirs {
		k, j := h.tidyDir(dir, rules)
		room -= liveBytes(dir, rules, h.quota)
		kept, jobs = append(kept, k...), append(jobs, j...)
	}
	if h.quota > 0 {
		room = max(room, 1)
	}
	for _, a := range overQuota(kept, room) {
		h.remove(a)
	}
	h.mu.Lock()
	for _, j := range h.jobs { // of directories that were not looked at
		if !slices.Contains(dirs, filepath.Dir(j.path)) {
			jobs = append(jobs, j)
		}
	}
	h.jobs = jobs
	h.mu.Unlock()
	if len(jobs) > 0 {
		nudge(h.work)
	}
}

// liveBytes is the size of the log files in a directory that are written now; nothing without a quota.
func liveBytes(dir string, rules map[string]Policy, quota int64) (total int64) {
	for path := range rules {
		if quota == 0 || filepath.Dir(path) != dir {
			continue
		}
		if st, err := statPath(path); err == nil {
			total += st.size
		}
	}
	return total
}

func (h *keeper) tidyDir(dir string, rules map[string]Policy) (kept []archive, jobs []job) {
	found, temps, err := scanDir(dir)
	if err != nil {
		h.log.Warn("Cannot list rotated logs", "dir", dir, "err", err)
		return nil, nil
	}
	h.removeStale(temps)
	for live, list := range found {
		p, ours := rules[live]
		if !ours {
			continue
		}
		stay, gone := p.split(list, time.Now())
		for _, a := range gone {
			h.remove(a)
		}
		kept = append(kept, stay...)
		for _, a := range stay {
			if a.kind == Plain && p.Compress != Plain {
				jobs = append(jobs, job{a.plain, p.Compress})
			}
		}
	}
	return kept, jobs
}

// split says which archives, oldest first, stay and which go.
func (p Policy) split(list []archive, now time.Time) (stay, gone []archive) {
	n := 0
	if p.Keep > 0 {
		n = max(0, len(list)-p.Keep)
	}
	for p.MaxAge > 0 && n < len(list) && now.Sub(list[n].at) > p.MaxAge {
		n++
	}
	return list[n:], list[:n]
}

// overQuota returns the oldest archives whose removal brings the rest under quota.
func overQuota(list []archive, quota int64) []archive {
	var total int64
	for _, a := range list {
		total += a.size
	}
	slices.SortFunc(list, func(a, b archive) int { return a.at.Compare(b.at) })
	n := 0
	for ; quota > 0 && total > quota && n < len(list); n++ {
		total -= list[n].size
	}
	return list[:n]
}

// remove removes an archive in all its forms, with its index.
func (h *keeper) remove(a archive) {
	paths := []string{indexName(a.plain)}
	for _, s := range suffixes {
		paths = append(paths, a.plain+s)
	}
	if err := removeAll(paths...); err != nil {
		h.log.Warn("Cannot remove a rotated log", "path", a.plain, "err", err)
	}
}

// removeStale removes what an interrupted compression left, but not what the present one writes.
func (h *keeper) removeStale(temps []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, path := range temps {
		if path != h.writing {
			_ = removeAll(path) // tried again next time
		}
	}
}
