package proc

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

const freezeSignal = syscall.SIGSTOP

const byGroup = false

// zombie is SZOMB of sys/proc.h.
const zombie = 5

// signal checks the start time first; there is no handle that would close the
// remaining gap of microseconds.
func (m member) signal(sig syscall.Signal) error {
	kp, err := unix.SysctlKinfoProc("kern.proc.pid", m.pid)
	if err != nil || startOf(kp) != m.start {
		return os.ErrProcessDone
	}
	return syscall.Kill(m.pid, sig)
}

func startOf(kp *unix.KinfoProc) uint64 {
	return uint64(kp.Proc.P_starttime.Sec)*1e6 + uint64(kp.Proc.P_starttime.Usec)
}

func isChildOf(pid, parent int) bool { return true }

func isInGroup(pid int, dir string) bool { return false }

// find returns the descendants, the members of the leader's process group and
// their descendants; orphans go to launchd, so there is nobody to ask for others.
func (t *Tree) find(visit func(member)) map[member]int {
	all, err := unix.SysctlKinfoProcSlice("kern.proc.all")
	if err != nil {
		return nil
	}
	in := map[int]bool{t.leader.pid: true}
	for m := range t.known {
		in[m.pid] = true
	}
	found := map[member]int{}
	for again := true; again; {
		again = false
		for i := range all {
			again = t.add(found, in, &all[i], visit) || again
		}
	}
	return found
}

// add takes a process up that belongs to those already in.
func (t *Tree) add(found map[member]int, in map[int]bool, kp *unix.KinfoProc, visit func(member)) bool {
	pid, parent := int(kp.Proc.P_pid), int(kp.Eproc.Ppid)
	m := member{pid, startOf(kp)}
	_, seen := found[m]
	_, known := t.known[m]
	ours := known || in[parent] || int(kp.Eproc.Pgid) == t.leader.pid
	if seen || !ours || kp.Proc.P_stat == zombie || pid == t.leader.pid {
		return false
	}
	found[m], in[pid] = parent, true
	visit(m)
	return true
}
