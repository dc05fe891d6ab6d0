package proc

import (
	"bytes"
	"os"
	"strings"
)

func (m member) alive() bool {
	st, ok := readStat(m.pid)
	return ok && !st.dead && st.start == m.start
}

// marked reads the environment of every process that this user may look into.
func marked(home string) []Survivor {
	var out []Survivor
	for _, pid := range allPIDs() {
		id, seq, ok := markOf(pid, home)
		if !ok {
			continue
		}
		if st, ok := readStat(pid); ok && !st.dead {
			out = append(out, Survivor{ID: id, Seq: seq, PID: pid, Start: st.start, Leader: st.session == pid && st.parent != pid})
		}
	}
	return onlyFirstLeader(out)
}

// markOf finds the mark of a home in a process's environment.
func markOf(pid int, home string) (id int, seq uint64, ok bool) {
	env, err := os.ReadFile(procFile(pid, "environ"))
	if err != nil || !bytes.Contains(env, []byte(MarkVar)) {
		return 0, 0, false
	}
	for entry := range strings.SplitSeq(string(env), "\x00") {
		if id, seq, ok := parseMark(entry, home); ok {
			return id, seq, true
		}
	}
	return 0, 0, false
}

// onlyFirstLeader leaves one leader for each child: the session that began first. Others are
// descendants that made a session of their own.
func onlyFirstLeader(all []Survivor) []Survivor {
	first := map[[2]uint64]int{}
	for i, s := range all {
		key := [2]uint64{uint64(s.ID), s.Seq}
		if !s.Leader {
			continue
		}
		if j, have := first[key]; have {
			if all[j].Start <= s.Start {
				all[i].Leader = false
				continue
			}
			all[j].Leader = false
		}
		first[key] = i
	}
	return all
}

// Escaped lists, by instance, the orphans of a home that fell to the master.
func (ts *Trees) Escaped(home string) map[int][]int {
	out := map[int][]int{}
	pids, _ := childrenOf(ts.master)
	for _, pid := range pids {
		if ts.isLeader(pid) {
			continue
		}
		if id, _, ok := markOf(pid, home); ok {
			out[id] = append(out[id], pid)
		}
	}
	return out
}
