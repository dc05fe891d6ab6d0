package daemon

import (
	"context"
	"errors"
	"sync"
	"time"

	"gpm/app"
	"gpm/cluster"
)

// turn lets one cause after the other give an app's instances new processes, and at most one wait for that: what
// comes meanwhile is covered by the one that waits.
type turn struct {
	sync.Mutex
	waiting sync.Mutex // held by the one that waits
}

// patience says what to do when the instances are just getting new processes.
type patience uint8

const (
	nextInTurn patience = iota // wait, for what is being started may not know of this cause
	nowOrNever                 // what is being started is a remedy for this cause too
)

// take returns false when there is nothing left to do.
func (t *turn) take(p patience) bool {
	if p == nowOrNever {
		return t.TryLock()
	}
	if !t.waiting.TryLock() {
		return false
	}
	defer t.waiting.Unlock()
	t.Lock()
	return true
}

// busy says that instances are just getting new processes.
func (t *turn) busy() bool {
	if !t.TryLock() {
		return true
	}
	t.Unlock()
	return false
}

// renew gives instances of an app new processes, unasked: those that should be up, and among them those in only, if
// given. Where two processes of an instance can serve at a time no request is lost.
func (d *Daemon) renew(ctx context.Context, a *application, only map[int]bool, why string, p patience) {
	if !a.turn.take(p) {
		return
	}
	defer a.turn.Unlock()
	var members []*cluster.Member
	for _, m := range a.group.Members() {
		if a.wants(m.ID) && (only == nil || only[m.ID]) {
			members = append(members, m)
		}
	}
	if replaceable(a.spec()) {
		d.replace(ctx, a, members, why, p)
		return
	}
	var all sync.WaitGroup
	defer all.Wait()
	for _, m := range members {
		all.Go(func() {
			_, err := m.Restart(ctx, why)
			d.settleRenewed(ctx, a, m, why, err)
		})
	}
}

// reloadPause is the time between two looks whether somebody else's reload is over.
const reloadPause = 200 * time.Millisecond

// replace waits for a reload that a user has begun, and then does its own.
func (d *Daemon) replace(ctx context.Context, a *application, members []*cluster.Member, why string, p patience) {
	for _, m := range members {
		d.tell(a, m.ID, app.EventRestart, why)
	}
	for ctx.Err() == nil {
		err := a.group.Reload(members, 1, func(r cluster.Replaced) {
			d.writePID(a.spec(), r.Status)
			d.settleRenewed(ctx, a, r.Member, why, r.Err)
		})
		if !errors.Is(err, app.ErrConflict) || p == nowOrNever {
			return
		}
		select {
		case <-ctx.Done():
		case <-time.After(reloadPause):
		}
	}
}

// settleRenewed has the user's last word come true: who stopped an instance meanwhile wants it stopped.
func (d *Daemon) settleRenewed(ctx context.Context, a *application, m *cluster.Member, why string, err error) {
	if !a.wants(m.ID) {
		_, err = m.Stop(ctx, byUser)
	}
	if err != nil && ctx.Err() == nil {
		d.cfg.Log.Warn("Cannot give an instance a new process", "id", m.ID, "why", why, "err", err)
	}
}

// wants says whether the user wants this instance up.
func (a *application) wants(id int) bool {
	for _, in := range a.record.Load().Instances {
		if in.ID == id {
			return in.Goal == app.Up
		}
	}
	return false
}
