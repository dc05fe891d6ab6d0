package proc

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"sync"
	"syscall"
	"time"
)

// Killing a tree is a loop, since a process may fork while it is looked for. Both
// halves of it together stay well below killLimit.
const (
	freezeTime = 2 * time.Second
	killTime   = 3 * time.Second
	pauseFirst = time.Millisecond
	pauseMax   = 50 * time.Millisecond
)

// Trees is what the trees of all children of one master share.
type Trees struct {
	master  int // its pid: processes that lost their parent become its children
	mu      sync.Mutex
	leaders map[int]struct{} // pids of unreleased children: never somebody's orphan
}

// NewTrees is for the children of the master with this pid.
func NewTrees(masterPID int) *Trees {
	return &Trees{master: masterPID, leaders: map[int]struct{}{}}
}

// Tree is the processes that came from one child, other than the child itself.
// With a cgroup they are the members of that. Else they are its descendants and
// session, and the orphans that fell to the master with the child's mark in their
// environment; a process that daemonises and also wipes its environment is found only if
// a stop saw it before. A nil Tree has no members.
type Tree struct {
	shared  *Trees
	leader  member
	mark    string         // "NAME=value"; "" = not marked
	group   group          // "" = not in a cgroup of its own
	foreign bool           // not a child of the master: its orphans may be anybody's
	known   map[member]int // found earlier → parent's pid; still of the tree when the link is cut
}

// member identifies a process for as long as the machine runs.
type member struct {
	pid   int
	start uint64
}

// Tree describes the tree of a running child. mark is the entry in its
// environment (see [Mark]), dir the cgroup it was born in; a child that is not in
// that group is looked for by its descent.
func (ts *Trees) Tree(pid int, start uint64, mark, dir string) *Tree {
	t := &Tree{shared: ts, leader: member{pid, start}, mark: mark, known: map[member]int{}}
	t.foreign = !isChildOf(pid, ts.master)
	if dir != "" && isInGroup(pid, dir) {
		t.group = group(dir)
	}
	ts.mu.Lock()
	defer ts.mu.Unlock()
	ts.leaders[pid] = struct{}{}
	return t
}

func (ts *Trees) isLeader(pid int) bool {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	_, ok := ts.leaders[pid]
	return ok
}

// close forgets the leader, whose pid may now become another's, and removes the
// group; one that is not empty is left for [Cgroups.Close].
func (t *Tree) close() {
	if t == nil {
		return
	}
	if t.group != "" {
		_ = t.group.remove()
	}
	t.shared.mu.Lock()
	defer t.shared.mu.Unlock()
	delete(t.shared.leaders, t.leader.pid)
}

// lingers says that something of the tree has not ended, other than the leader;
// in a group, where that is cheaper to know, the leader counts too.
func (t *Tree) lingers() bool {
	switch {
	case t == nil:
		return false
	case t.group != "":
		return t.group.isBusy()
	}
	return len(t.members()) > 0
}

// isEmpty looks twice where there is no group: the kernel's list of children is not exact while
// children come and go.
func (t *Tree) isEmpty() bool {
	return !t.lingers() && (t.group != "" || !t.lingers())
}

// oomKilled says that the kernel has killed one of the tree for want of memory.
func (t *Tree) oomKilled() bool {
	return t != nil && t.group != "" && t.group.oomKills() > 0
}

// members looks up who lives, deepest first.
func (t *Tree) members() []member { return t.look(func(member) {}) }

// look is members with a visit to each before its children are looked for.
func (t *Tree) look(visit func(member)) []member {
	found := t.find(visit)
	clear(t.known)
	maps.Copy(t.known, found)
	return deepestFirst(found)
}

// signal reaches every member but the leader.
func (t *Tree) signal(sig syscall.Signal) error {
	if t == nil {
		return nil
	}
	return signalAll(t.members(), sig)
}

// kill ends all members, and the leader when it is given: the function that
// signals it. Without a group, what is found is stopped before any is killed, so that nobody
// is left to fork when the parents, by which the others are found, are gone.
func (t *Tree) kill(ctx context.Context, leader func(syscall.Signal) error) error {
	if leader == nil && t.isEmpty() {
		return nil
	}
	var err error
	if t.group == "" {
		if leader != nil {
			err = leader(freezeSignal)
		}
		t.freeze()
	}
	if leader != nil {
		err = leader(syscall.SIGKILL)
	}
	return errors.Join(err, t.killMembers(ctx))
}

// freeze stops the members until a pass finds no new one. Each is stopped before
// its children are looked for, so one pass suffices but for those just being forked.
func (t *Tree) freeze() {
	frozen := map[member]bool{}
	for limit := time.Now().Add(freezeTime); time.Now().Before(limit); {
		before := len(frozen)
		t.look(func(m member) {
			if !frozen[m] {
				frozen[m] = true
				_ = m.signal(freezeSignal) // best effort; the kill reports what is left
			}
		})
		if len(frozen) == before {
			return
		}
	}
}

func (t *Tree) killMembers(ctx context.Context) error {
	limit := time.Now().Add(killTime)
	pause := pauseFirst
	var err error
	for !t.isEmpty() {
		err = t.strike()
		wait(ctx, pause)
		if time.Now().After(limit) || ctx.Err() != nil {
			return errors.Join(fmt.Errorf("cannot kill the whole tree of process %d: %d are left", t.leader.pid, len(t.members())), err)
		}
		pause = min(2*pause, pauseMax)
	}
	return nil
}

// strike sends SIGKILL to all who are there.
func (t *Tree) strike() error {
	if t.group != "" && t.group.kill() == nil {
		return nil
	}
	return signalAll(t.members(), syscall.SIGKILL)
}

// signalAll goes on after an error; a process that has gone meanwhile is none.
func signalAll(ms []member, sig syscall.Signal) error {
	var first error
	for _, m := range ms {
		err := m.signal(sig)
		if err != nil && !errors.Is(err, os.ErrProcessDone) {
			first = cmp.Or(first, fmt.Errorf("cannot signal process %d: %w", m.pid, err))
		}
	}
	return first
}

// deepestFirst orders processes so that none comes after its parent.
func deepestFirst(parents map[member]int) []member {
	up := make(map[int]int, len(parents))
	for m, parent := range parents {
		up[m.pid] = parent
	}
	depth := func(m member) int {
		d := 0
		for pid, ok := up[m.pid]; ok && d <= len(up); pid, ok = up[pid] {
			d++
		}
		return d
	}
	ms := make([]member, 0, len(parents))
	for m := range parents {
		ms = append(ms, m)
	}
	slices.SortFunc(ms, func(a, b member) int {
		return cmp.Or(depth(b)-depth(a), a.pid-b.pid)
	})
	return ms
}

func wait(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
