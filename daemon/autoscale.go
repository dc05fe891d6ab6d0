package daemon

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"gpm/app"
)

// byAutoscale is recorded as who changed a number of instances.
const byAutoscale = "autoscale"

// autoscaler keeps the number of instances of apps with bounds by how busy they are.
type autoscaler struct {
	d    *Daemon
	wake chan struct{}      // an app with bounds may have come
	apps map[uint64]scaling // touched by run only
	work sync.WaitGroup     // changes that go on
}

func newAutoscaler(d *Daemon) *autoscaler {
	return &autoscaler{d: d, wake: make(chan struct{}, 1), apps: map[uint64]scaling{}}
}

// run works until ctx ends. It sleeps while no app has bounds.
func (s *autoscaler) run(ctx context.Context) {
	defer s.work.Wait()
	for ctx.Err() == nil {
		bounded := slices.DeleteFunc(s.d.apps.all(), func(a *application) bool { return a.spec().Autoscale.IsZero() || !a.wantedUp() })
		s.forget(bounded)
		for _, a := range bounded {
			s.look(ctx, a)
		}
		var tick <-chan time.Time
		if len(bounded) > 0 {
			tick = time.After(scalePause)
		}
		select {
		case <-ctx.Done():
		case <-tick:
		case <-s.wake:
		}
	}
}

// forget drops what is known of apps that are not bounded any more.
func (s *autoscaler) forget(bounded []*application) {
	known := map[uint64]bool{}
	for _, a := range bounded {
		known[a.record.Load().Key] = true
	}
	for key := range s.apps {
		if !known[key] {
			delete(s.apps, key)
		}
	}
}

// look measures an app and changes its number of instances if need be. While one of them is on its way up or down, or is
// stopped by the user, the number is left alone.
func (s *autoscaler) look(ctx context.Context, a *application) {
	cfg := s.bounds(ctx, a)
	key := a.record.Load().Key
	for _, in := range wantedInstances(*a.record.Load()) {
		m := a.group.Member(in.ID)
		if m == nil || in.Goal != app.Up || m.Status().State != app.Online {
			delete(s.apps, key)
			return
		}
	}
	total, n, ok := s.measure(ctx, a, cfg.Metric)
	if !ok {
		return
	}
	after, wanted, why := s.apps[key].next(look{time.Now(), total}, n, cfg)
	s.apps[key] = after
	if wanted == n {
		return
	}
	if err := s.change(ctx, a, n, wanted, why); err != nil && ctx.Err() == nil {
		s.d.cfg.Log.Warn("Cannot scale", "app", a.spec().Name, "to", wanted, "err", err)
	}
}

// bounds are an app's settings. How busy it is shows best in the event loop, where it has one.
func (s *autoscaler) bounds(ctx context.Context, a *application) app.Autoscale {
	cfg := a.spec().Autoscale
	if members := a.group.Members(); cfg.Metric == "" && len(members) > 0 && members[0].HasAgent(ctx) {
		cfg.Metric = app.ScaleByLoop
	}
	return cfg.WithDefaults()
}

// measure says how busy the instances of an app are together, and how many there are; false: that is not known yet.
func (s *autoscaler) measure(ctx context.Context, a *application, by app.ScaleMetric) (total float64, n int, ok bool) {
	members := a.group.Members()
	if by == app.ScaleByLoop {
		for _, u := range a.group.Figures(ctx, 0) {
			total += 100 * u.Utilization
			n++
		}
		return total, n, n == len(members)
	}
	roots := map[int][]int{}
	for _, m := range members {
		if st := m.Status(); st.PID != 0 {
			roots[st.ID] = []int{st.PID}
		}
	}
	s.d.addEscaped(roots)
	for _, u := range s.d.sampler.Sample(ctx, roots) {
		total += u.CPU
		n++
	}
	return total, n, n == len(members)
}

// change starts instances, or ends those with the lowest ids.
func (s *autoscaler) change(ctx context.Context, a *application, from, to int, why string) error {
	fresh, surplus, err := s.d.rescale(a, strconv.Itoa(to))
	if err != nil {
		return err
	}
	s.d.scaled(a, byAutoscale, from, to, why)
	s.work.Go(func() {
		_ = forEach(append(fresh, surplus...), startParallel, func(in instance) app.Progress { //nolint:errcheck // nobody listens who could go away
			return resize(ctx, in, slices.Contains(surplus, in), byAutoscale)
		}, func(p app.Progress) error {
			if p.Error != nil && ctx.Err() == nil {
				s.d.cfg.Log.Warn("Cannot scale", "app", a.spec().Name, "err", p.Error)
			}
			return nil
		})
	})
	return nil
}

// scaled records that an app has got another number of instances.
func (d *Daemon) scaled(a *application, by string, from, to int, why string) {
	reason := fmt.Sprintf("from %d to %d instances by %s", from, to, by)
	if why != "" {
		reason += ": " + why
	}
	members := a.group.Members()
	if len(members) == 0 {
		return
	}
	d.journal.Event(app.Event{Kind: app.EventScale, ID: members[len(members)-1].ID, Name: a.spec().Name, Reason: reason})
}
