package daemon

import (
	"context"
	"fmt"
	"sync"
	"time"

	"gpm/app"
)

const (
	limitPause    = time.Second // see Daemon.limitPause
	minLimitPause = 100 * time.Millisecond
)

// enforce restarts instances above their app's limit of memory until ctx ends. It sleeps while no app has one.
func (u *upkeep) enforce(ctx context.Context) {
	var restarts sync.WaitGroup
	defer restarts.Wait()
	pause := u.d.limitPause()
	for ctx.Err() == nil {
		if !u.anyLimit() {
			select {
			case <-ctx.Done():
			case <-u.limits:
			}
			continue
		}
		u.look(ctx, &restarts)
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
}

func (u *upkeep) anyLimit() bool {
	for _, a := range u.d.apps.all() {
		if a.spec().MaxMemoryRestart > 0 && a.wantedUp() {
			return true
		}
	}
	return false
}

// look measures once. What is being stopped already is left alone.
func (u *upkeep) look(ctx context.Context, restarts *sync.WaitGroup) {
	limited, roots := map[int]instance{}, map[int][]int{}
	for _, in := range u.d.apps.instances() {
		st := in.member.Status()
		if in.app.spec().MaxMemoryRestart > 0 && st.PID != 0 && (st.State == app.Online || st.State == app.Launching || st.State == app.Unhealthy) {
			limited[st.ID], roots[st.ID] = in, []int{st.PID}
		}
	}
	if len(roots) == 0 {
		return
	}
	u.d.addEscaped(roots)
	for id, used := range u.d.sampler.Latest(ctx, roots) {
		in := limited[id]
		limit := in.app.spec().MaxMemoryRestart
		if used.RSS <= limit {
			continue
		}
		why := fmt.Sprintf("memory limit: %d MB of %d MB", (used.RSS+1<<19)>>20, (limit+1<<19)>>20)
		if !in.app.turn.busy() { // else it is being given a new process
			u.d.tell(in.app, id, app.EventLimit, why)
		}
		restarts.Go(func() { u.d.renew(ctx, in.app, map[int]bool{id: true}, why, nowOrNever) })
	}
}
