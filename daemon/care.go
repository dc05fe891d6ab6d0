package daemon

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"gpm/app"
	"gpm/errand"
	"gpm/health"
	"gpm/launch"
	"gpm/probe"
	"gpm/proc"
)

// care asks processes whether they are well, and has those replaced that are not. When to ask and what an answer means
// is decided by a [health.Monitor] for each instance.
type care struct {
	d       *Daemon
	answers chan answer
	gate    chan struct{} // a token for each question that is out
	wake    chan struct{}

	mu      sync.Mutex
	noticed map[patientKey]bool // whose status or settings may have changed
}

// careParallel bounds how many processes are asked at a time.
const careParallel = 64

type patientKey struct {
	app *application
	id  int
}

// patient is an instance whose app has a health check. Only care's goroutine touches it.
type patient struct {
	patientKey
	monitor health.Monitor
	told    chan struct{} // closed when the supervisor knows the last judgement
}

type answer struct {
	patientKey
	health.Answer
}

func newCare(d *Daemon) *care {
	return &care{d: d, answers: make(chan answer), gate: make(chan struct{}, careParallel), wake: make(chan struct{}, 1), noticed: map[patientKey]bool{}}
}

// checkHealth refuses a health check that can never pass.
func checkHealth(spec app.Spec) error {
	h := spec.Health
	if h.Probe().IsZero() {
		return nil
	}
	err := probe.Check(h.Probe())
	if err == nil && (h.Interval < 0 || h.Timeout < 0 || h.StartPeriod < 0 || h.Retries < 0) {
		err = errors.New("a time or a number of it is negative")
	}
	if err == nil && strings.HasPrefix(h.HTTP, "/") && spec.Env["PORT"] == "" && len(spec.EnvFile) == 0 {
		err = fmt.Errorf("the process has no PORT at which to ask %q", h.HTTP)
	}
	if err != nil {
		return app.Errorf(app.CodeInvalid, "cannot check the health of %q: %w", spec.Name, err).
			WithHint("like http: http://localhost:3000/health, tcp: localhost:3000, or exec: a command")
	}
	return nil
}

// notice has an instance looked at. It never blocks.
func (c *care) notice(a *application, id int) {
	if a.spec().Health.Probe().IsZero() && !a.well.any() {
		return
	}
	c.mu.Lock()
	c.noticed[patientKey{a, id}] = true
	c.mu.Unlock()
	poke(c.wake)
}

// poke leaves at most one token.
func poke(wake chan struct{}) {
	select {
	case wake <- struct{}{}:
	default:
	}
}

// run cares until ctx ends.
func (c *care) run(ctx context.Context) {
	var work sync.WaitGroup
	defer work.Wait()
	patients := map[patientKey]*patient{}
	timer := time.NewTimer(0)
	defer timer.Stop()
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-c.wake:
			c.look(ctx, patients, &work)
		case ans := <-c.answers:
			if p := patients[ans.patientKey]; p != nil {
				c.step(ctx, p, ans.Answer, &work)
			}
		case <-timer.C:
			now := time.Now()
			for _, p := range patients {
				if at := p.monitor.Deadline(); !at.IsZero() && !at.After(now) {
					c.step(ctx, p, health.Tick{}, &work)
				}
			}
		}
		timer.Reset(pauseUntil(patients))
	}
}

// pauseUntil is how long nothing is due.
func pauseUntil(patients map[patientKey]*patient) time.Duration {
	pause := time.Hour
	for _, p := range patients {
		if at := p.monitor.Deadline(); !at.IsZero() {
			pause = min(pause, time.Until(at))
		}
	}
	return max(pause, 0)
}

// look brings what is known of the noticed instances up to date.
func (c *care) look(ctx context.Context, patients map[patientKey]*patient, work *sync.WaitGroup) {
	c.mu.Lock()
	noticed := c.noticed
	c.noticed = map[patientKey]bool{}
	c.mu.Unlock()
	for key := range noticed {
		m := key.app.group.Member(key.id)
		if m == nil || key.app.spec().Health.Probe().IsZero() {
			key.app.well.forget(key.id)
			delete(patients, key)
			continue
		}
		p := patients[key]
		if p == nil {
			p = &patient{patientKey: key}
			patients[key] = p
		}
		st := m.Status()
		if (st.State == app.Online || st.State == app.Unhealthy) && key.app.wants(key.id) {
			c.step(ctx, p, health.Began{Seq: st.Seq, Since: st.Since}, work)
		} else {
			c.step(ctx, p, health.Ended{}, work)
		}
	}
}

// step takes one event and does what follows from it.
func (c *care) step(ctx context.Context, p *patient, ev health.Event, work *sync.WaitGroup) {
	var effect health.Effect
	p.monitor, effect = health.Step(p.monitor, ev, time.Now(), p.app.spec().Health.WithDefaults())
	seq, why := p.monitor.Seq, p.monitor.Why
	switch effect {
	case health.Ask:
		work.Go(func() { c.ask(ctx, p.patientKey, seq) })
	case health.Passed:
		c.judge(ctx, p, nil, work)
	case health.Failed:
		c.judge(ctx, p, errors.New(why), work)
	case health.Replace:
		told := p.told
		work.Go(func() {
			<-told
			c.d.renew(ctx, p.app, map[int]bool{p.id: true}, "unhealthy: "+why, nowOrNever)
		})
	}
}

// judge tells everybody what is thought of a process now.
func (c *care) judge(ctx context.Context, p *patient, wrong error, work *sync.WaitGroup) {
	m, seq := p.app.group.Member(p.id), p.monitor.Seq
	if m == nil {
		return
	}
	p.app.well.set(p.id, seq, wrong == nil)
	st := m.Status()
	if wrong == nil && st.State == app.Online { // for the first time: the supervisor has nothing to say
		c.d.tell(p.app, p.id, app.EventHealthy, "")
	}
	before, told := p.told, make(chan struct{})
	p.told = told
	work.Go(func() {
		defer close(told)
		if before != nil {
			<-before
		}
		if err := m.Judge(ctx, seq, wrong); err != nil && ctx.Err() == nil {
			c.d.cfg.Log.Warn("Cannot say what the health check found", "id", p.id, "err", err)
		}
	})
}

// ask puts the question to a process.
func (c *care) ask(ctx context.Context, key patientKey, seq uint64) {
	select {
	case c.gate <- struct{}{}:
		defer func() { <-c.gate }()
	case <-ctx.Done():
		return
	}
	h := key.app.spec().Health.WithDefaults()
	from, err := c.d.probeFrom(ctx, key, seq)
	if err == nil {
		err = probe.AskFor(ctx, h.Timeout, h.Probe(), from)
	}
	select {
	case c.answers <- answer{key, health.Answer{Seq: seq, Wrong: err}}:
	case <-ctx.Done():
	}
}

// probeFrom is the position from which a process is asked.
func (d *Daemon) probeFrom(ctx context.Context, key patientKey, seq uint64) (probe.From, error) {
	m, spec := key.app.group.Member(key.id), key.app.spec()
	if m == nil {
		return probe.From{}, errors.New("it is gone")
	}
	plan, err := d.resolver.Resolve(spec, launch.Instance{ID: key.id, Slot: m.Slot, Seq: seq, Home: d.cfg.Home, HomeHash: d.hash})
	if err == nil && len(spec.Health.Exec) > 0 {
		plan, err = plan.WithSecrets(ctx)
	}
	if err != nil {
		return probe.From{}, err
	}
	from := asIn(plan)
	from.Dial = m.Dialer(seq) // each worker of a cluster for itself
	return from, nil
}

// asIn is the position of a process that was started by a plan, but for the mark that would make others part of it.
func asIn(plan launch.Plan) probe.From {
	from := probe.From{Dir: plan.Spawn.Dir}
	for _, kv := range plan.Spawn.Env {
		if !strings.HasPrefix(kv, proc.MarkVar+"=") {
			from.Env = append(from.Env, kv)
		}
	}
	if c := plan.Spawn.Credential; c != nil {
		from.User = &errand.User{UID: c.UID, GID: c.GID, Groups: c.Groups}
	}
	return from
}

// wellness is which process of an instance has passed its health check.
type wellness struct {
	mu  sync.Mutex
	seq map[int]uint64
}

func (w *wellness) set(id int, seq uint64, well bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.seq == nil {
		w.seq = map[int]uint64{}
	}
	if w.seq[id] = seq; !well {
		delete(w.seq, id)
	}
}

func (w *wellness) forget(id int) { w.set(id, 0, false) }

func (w *wellness) any() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.seq) > 0
}

func (w *wellness) is(id int, seq uint64) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.seq[id] == seq && seq != 0
}
