package proc

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"syscall"

	"gpm/app"
)

// Survivor is a process of this home that lived on when its master died.
type Survivor struct {
	ID     int
	Seq    uint64
	PID    int
	Start  uint64
	Leader bool // the child itself, else one that it made
}

// End kills it.
func (s Survivor) End() error {
	return signalAll([]member{{s.PID, s.Start}}, syscall.SIGKILL)
}

// Survivors finds them: by the mark in their environment, and, as some programs write over theirs,
// by pid and start time in the last statuses, which must be of this boot.
func Survivors(home string, last map[int]app.Status) []Survivor {
	out := marked(home)
	seen := map[member]bool{}
	for i, s := range out {
		seen[member{s.PID, s.Start}] = true
		if st := last[s.ID]; st.Seq == s.Seq && st.PID > 0 && st.PID != s.PID {
			out[i].Leader = false // a descendant with a session of its own
		}
	}
	for id, st := range last {
		m := member{st.PID, st.Start}
		if st.PID > 0 && st.Start > 0 && !seen[m] && m.alive() {
			out = append(out, Survivor{ID: id, Seq: st.Seq, PID: st.PID, Start: st.Start, Leader: true})
		}
	}
	return out
}

// End kills a child with its tree, waits for its end and releases it.
func End(ctx context.Context, c Child) error {
	if err := c.Kill(ctx); err != nil {
		return err
	}
	select {
	case <-c.Exited():
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	_, err := c.Finish(ctx)
	return errors.Join(err, c.Release(ctx))
}

// parseMark reads what [Mark] wrote, for one home.
func parseMark(entry, home string) (id int, seq uint64, ok bool) {
	rest, ok := strings.CutPrefix(entry, MarkVar+"="+HomeHash(home)+":")
	a, b, _ := strings.Cut(rest, ":")
	id, err1 := strconv.Atoi(a)
	seq, err2 := strconv.ParseUint(b, 10, 64)
	return id, seq, ok && err1 == nil && err2 == nil
}
