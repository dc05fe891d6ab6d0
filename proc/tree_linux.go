package proc

import (
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// freezeSignal stops a process without its say.
const freezeSignal = syscall.SIGSTOP

// byGroup says that the process group is all we can reach.
const byGroup = false

// signal goes through a descriptor of the process (os.FindProcess opens one):
// when the start time read afterwards is the known one, the descriptor cannot be another's.
func (m member) signal(sig syscall.Signal) error {
	p, err := os.FindProcess(m.pid)
	if err != nil {
		return err
	}
	defer func() { _ = p.Release() }()
	if st, ok := readStat(m.pid); !ok || st.start != m.start {
		return os.ErrProcessDone
	}
	return p.Signal(sig)
}

func isChildOf(pid, parent int) bool {
	st, ok := readStat(pid)
	return ok && st.parent == parent
}

// isInGroup compares the end of the path: the front depends on where the
// hierarchy is mounted. A group removed and made anew is not the same one.
func isInGroup(pid int, dir string) bool {
	path, err := groupOf(strconv.Itoa(pid))
	if err != nil || !strings.HasPrefix(path, "/") {
		return false
	}
	return strings.HasSuffix(dir, path) && len(path) > 1
}

// find returns the living members and their parents. It calls visit for each
// before it looks for the children of that one.
func (t *Tree) find(visit func(member)) map[member]int {
	found := map[member]int{}
	if t.group != "" {
		for _, pid := range t.group.pids() {
			t.add(found, pid, visit)
		}
		return found
	}
	w := walk()
	pending := t.orphans(w)
	if t.ownsPID() {
		pending = append(pending, w.children(t.leader.pid)...)
	}
	for m := range t.known {
		pending = append(pending, m.pid)
	}
	for len(pending) > 0 {
		pid := pending[len(pending)-1]
		pending = pending[:len(pending)-1]
		if t.add(found, pid, visit) {
			pending = append(pending, w.children(pid)...)
		}
	}
	return found
}

// add takes a living process up; false when it is dead or was taken before.
func (t *Tree) add(found map[member]int, pid int, visit func(member)) bool {
	st, ok := readStat(pid)
	m := member{pid, st.start}
	if _, seen := found[m]; seen || !ok || st.dead || pid == t.leader.pid {
		return false
	}
	found[m] = st.parent
	visit(m)
	return true
}

// ownsPID says that the leader's pid, and so its session's id, is still its own.
// Only a child of the master is sure to stay a zombie until it is released.
func (t *Tree) ownsPID() bool {
	st, ok := readStat(t.leader.pid)
	return ok && st.start == t.leader.start
}

// orphans are the processes of the tree that lost their parent and are not known
// yet. They are among the children of the master, unless the leader is not.
func (t *Tree) orphans(w walker) []int {
	candidates := w.children(t.shared.master)
	if t.foreign {
		candidates = allPIDs()
	}
	session := -1
	if t.ownsPID() {
		session = t.leader.pid
	}
	return slices.DeleteFunc(candidates, func(pid int) bool {
		if pid == t.leader.pid || t.shared.isLeader(pid) {
			return true
		}
		st, ok := readStat(pid)
		_, known := t.known[member{pid, st.start}]
		return !ok || st.dead || known || st.session != session && !hasEnv(pid, t.mark)
	})
}

// walker answers who the children of a process are: from the kernel's list, or
// from one pass over all processes where there is no such list.
type walker struct{ byParent map[int][]int }

func walk() walker {
	if _, ok := childrenOf(os.Getpid()); ok {
		return walker{}
	}
	return walkAll()
}

func walkAll() walker {
	w := walker{byParent: map[int][]int{}}
	for _, pid := range allPIDs() {
		if st, ok := readStat(pid); ok {
			w.byParent[st.parent] = append(w.byParent[st.parent], pid)
		}
	}
	return w
}

func (w walker) children(pid int) []int {
	if w.byParent != nil {
		return slices.Clone(w.byParent[pid])
	}
	pids, _ := childrenOf(pid)
	return pids
}
