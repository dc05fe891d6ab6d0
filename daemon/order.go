package daemon

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"time"

	"gpm/app"
	"gpm/launch"
	"gpm/order"
)

// turns starts instances when what their apps depend on is so far. What has to wait is held by its supervisor,
// which says why; a start goes on though nobody waits for its answer any more.
type turns struct {
	d    *Daemon
	gate chan struct{} // a token for each start that is under way
	boot chan struct{} // the same of starts when the daemon took over
	wake chan struct{}

	mu      sync.Mutex
	pending map[int]*pendingStart // by instance
}

// bootParallel bounds how many instances a daemon that finds the machine empty starts at once: the next one begins
// when one is up, or has failed.
func bootParallel() int { return max(4, 2*runtime.NumCPU()) }

const (
	// orderPatience is how long a command waits for what an app depends on. The app goes on waiting.
	orderPatience = 60 * time.Second
	// orderPause is the least time between two looks, and orderLook the most: not everything that an app may wait
	// for is told.
	orderPause = 20 * time.Millisecond
	orderLook  = 250 * time.Millisecond
)

// pendingStart is an instance that is to be started when its time has come.
type pendingStart struct {
	instance
	by     string
	gate   chan struct{}
	waits  order.Waits
	over   chan struct{} // closed when it was started, or is not to be any more
	status app.Status
	err    error
}

func newTurns(d *Daemon) *turns {
	return &turns{
		d: d, gate: make(chan struct{}, startParallel), boot: make(chan struct{}, bootParallel()), wake: make(chan struct{}, 1),
		pending: map[int]*pendingStart{},
	}
}

// start starts an instance in its turn and answers as Start does; or, when it has to wait for long, why.
func (t *turns) start(ctx context.Context, in instance, by string) (app.Status, error) {
	p := t.add(in, by, t.gate)
	patience := time.NewTimer(orderPatience)
	defer patience.Stop()
	look := time.NewTicker(orderLook)
	defer look.Stop()
	for {
		select {
		case <-p.over:
			return p.status, p.err
		case <-ctx.Done():
			return in.member.Status(), context.Cause(ctx)
		case <-patience.C:
			return in.member.Status(), t.stillWaits(p)
		case <-look.C:
			if t.waitsOf(p).Vain {
				return in.member.Status(), t.stillWaits(p)
			}
		}
	}
}

// again restarts an instance that runs, and starts another in its turn.
func (t *turns) again(ctx context.Context, in instance) (app.Status, error) {
	if !in.member.Status().State.HasChild() {
		return t.start(ctx, in, byUser)
	}
	select {
	case t.gate <- struct{}{}:
		defer func() { <-t.gate }()
	case <-ctx.Done():
		return in.member.Status(), context.Cause(ctx)
	}
	return t.d.restart(ctx, in)
}

// restart gives an instance another process. One that runs goes on when its successor would lack a secret: that is the
// part of a start that somebody else may have to put right first.
func (d *Daemon) restart(ctx context.Context, in instance) (app.Status, error) {
	if st := in.member.Status(); st.State.HasChild() {
		if err := d.checkSecrets(ctx, in, st.Seq+1); err != nil {
			e := app.AsError(err)
			return st, app.Errorf(e.Code, "cannot restart %q: %w; its old process goes on", in.app.spec().Name, err).WithHint("%s", e.Hint)
		}
	}
	return in.member.Restart(ctx, byUser)
}

// checkSecrets looks up what the environment of an instance's next process refers to.
func (d *Daemon) checkSecrets(ctx context.Context, in instance, seq uint64) error {
	spec := in.app.spec()
	if !launch.HasSecrets(spec) {
		return nil
	}
	plan, err := d.resolver.Resolve(spec, launch.Instance{ID: in.member.ID, Slot: in.member.Slot, Seq: seq, Home: d.cfg.Home, HomeHash: d.hash})
	if err == nil {
		_, err = plan.WithSecrets(ctx)
	}
	return err
}

// startAgain is the start of an instance that exists.
func (d *Daemon) startAgain(ctx context.Context, in instance, _ app.ActionRequest) app.Progress {
	if isJob(in.app.spec()) {
		return app.Progress{Status: new(d.view(in))}
	}
	return in.outcome(d.turns.start(ctx, in, byUser))
}

func (t *turns) stillWaits(p *pendingStart) error {
	why := t.waitsOf(p).Why
	if why == "" {
		return nil // it is being started
	}
	return app.Errorf(app.CodeConflict, "cannot start %q yet: it %s", p.app.spec().Name, why).WithHint("it starts by itself as soon as that is so; gpm stop ends the wait")
}

func (t *turns) waitsOf(p *pendingStart) order.Waits {
	t.mu.Lock()
	defer t.mu.Unlock()
	return p.waits
}

// add has an instance started. A start that is pending already is joined.
func (t *turns) add(in instance, by string, gate chan struct{}) *pendingStart {
	t.mu.Lock()
	defer t.mu.Unlock()
	p := t.pending[in.member.ID]
	if p == nil {
		p = &pendingStart{instance: in, by: by, gate: gate, over: make(chan struct{})}
		t.pending[in.member.ID] = p
	}
	poke(t.wake)
	return p
}

// run starts what may start until ctx ends.
func (t *turns) run(ctx context.Context) {
	var starts sync.WaitGroup
	defer starts.Wait()
	for ctx.Err() == nil {
		changed := t.d.journal.Changed() // before the look, so that nothing is missed
		pause := orderLook
		if waiting := t.look(ctx, &starts); waiting == 0 {
			pause, changed = time.Hour, nil
		}
		select {
		case <-ctx.Done():
		case <-t.wake:
		case <-changed:
			sleep(ctx, orderPause)
		case <-time.After(pause):
		}
	}
}

func sleep(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// look starts what may be started and returns how many have to wait.
func (t *turns) look(ctx context.Context, starts *sync.WaitGroup) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	facts := t.facts()
	waiting := 0
	for id, p := range t.pending {
		if !p.app.wants(id) || p.app.group.Member(id) != p.member { // stopped or deleted while it waited
			delete(t.pending, id)
			p.status = p.member.Status()
			close(p.over)
			continue
		}
		w, waits := order.Unmet(p.app.spec().DependsOn, facts)
		if !waits {
			delete(t.pending, id)
			p.waits = order.Waits{}
			starts.Go(func() { t.begin(ctx, p) })
			continue
		}
		waiting++
		if w.Why != p.waits.Why {
			p.waits = w
			starts.Go(func() { t.hold(ctx, p, w.Why) })
		}
	}
	return waiting
}

// begin starts an instance when there is room.
func (t *turns) begin(ctx context.Context, p *pendingStart) {
	defer close(p.over)
	select {
	case p.gate <- struct{}{}:
		defer func() { <-p.gate }()
	case <-ctx.Done():
		p.status, p.err = p.member.Status(), context.Cause(ctx)
		return
	}
	if p.status = p.member.Status(); !p.app.wants(p.member.ID) {
		return
	}
	p.status, p.err = p.member.Start(ctx, p.by)
}

// hold shows what an instance waits for, unless it waits no more.
func (t *turns) hold(ctx context.Context, p *pendingStart, why string) {
	if t.waitsOf(p).Why != why {
		return
	}
	if _, err := p.member.Hold(ctx, why); err != nil && ctx.Err() == nil && !errors.Is(err, app.ErrNotFound) {
		t.d.cfg.Log.Warn("Cannot hold an instance", "id", p.member.ID, "err", err)
	}
}

// facts tells of apps by name, as they are now.
func (t *turns) facts() func(name string) order.Facts {
	byName := t.d.appsByName()
	return func(name string) order.Facts {
		var f order.Facts
		apps := byName[name]
		for _, a := range apps {
			f.HasHealth = f.HasHealth || !a.spec().Health.Probe().IsZero()
			for _, m := range a.group.Members() {
				st := a.complete(m.Status())
				if a.wants(m.ID) {
					st.Goal = app.Up // which a job that is done does not know
				}
				f.Instances = append(f.Instances, st)
			}
		}
		f.Listens = func() bool { return t.d.listens(f.Instances) }
		return f
	}
}

// listens says that every one of the instances has a process that listens.
func (d *Daemon) listens(instances []app.Status) bool {
	roots := map[int][]int{}
	for _, st := range instances {
		roots[st.ID] = []int{st.PID}
	}
	d.addEscaped(roots)
	for _, pids := range roots {
		if !d.sampler.Listens(context.Background(), pids) {
			return false
		}
	}
	return true
}

// checkOrder refuses dependencies that can never hold. more are apps that are about to be added.
func (d *Daemon) checkOrder(more ...app.Spec) error {
	g := order.Graph{}
	for name, apps := range d.appsByName() {
		g[name] = nil
		for _, a := range apps {
			g[name] = append(g[name], a.spec().DependsOn...)
		}
	}
	var names []string
	for _, spec := range more {
		g[spec.Name] = nil
		names = append(names, spec.Name)
	}
	for _, spec := range more {
		g[spec.Name] = append(g[spec.Name], spec.DependsOn...)
	}
	return g.Check(names...)
}
