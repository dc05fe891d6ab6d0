// Package cluster runs the instances of one app: it owns their supervisors and
// the goroutines those live in.
package cluster

import (
	"cmp"
	"context"
	"slices"
	"sync"

	"gpm/app"
	"gpm/proc"
)

// Config is what a Group needs from the daemon. The functions are called from
// the owners of single instances and must not block.
type Config struct {
	Launcher  func(id, slot int) proc.Launcher // starts children for one instance
	Report    func(app.Status, []app.Event)    // each change of an instance, in order
	Permanent func(error) bool                 // a spawn error that no retry can mend
	Gone      func(id int)                     // an instance was deleted and its owner has ended
}

// Group is the instances of one app.
type Group struct {
	cfg    Config
	cancel context.CancelFunc
	ctx    context.Context
	owners sync.WaitGroup

	mu      sync.Mutex // guards members; held over nothing that blocks
	members map[int]*Member
}

// Member is one instance: its place in the group and its supervisor.
type Member struct {
	*proc.Supervisor
	ID   int
	Slot int
}

// New makes an empty group. The context given to Start ends the owners without ending their children.
func New(ctx context.Context, cfg Config) *Group {
	ctx, cancel := context.WithCancel(ctx)
	return &Group{cfg: cfg, ctx: ctx, cancel: cancel, members: map[int]*Member{}}
}

// Add gives an instance an owner. A child is what a new daemon found alive or ended; nil if there is none.
func (g *Group) Add(st app.Status, policy app.Policy, child proc.Child) *Member {
	m := &Member{ID: st.ID, Slot: st.Slot}
	m.Supervisor = proc.New(proc.Config{
		Status: st, Policy: policy, Child: child,
		Launcher: g.cfg.Launcher(st.ID, st.Slot), Report: g.cfg.Report, Permanent: g.cfg.Permanent,
	})
	g.mu.Lock()
	g.members[m.ID] = m
	g.mu.Unlock()
	g.owners.Go(func() { g.own(m) })
	return m
}

func (g *Group) own(m *Member) {
	m.Run(g.ctx)
	if g.ctx.Err() != nil {
		return
	}
	g.mu.Lock()
	delete(g.members, m.ID)
	g.mu.Unlock()
	g.cfg.Gone(m.ID)
}

// Member returns an instance by id, or nil.
func (g *Group) Member(id int) *Member {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.members[id]
}

// Members returns the instances in the order of their ids.
func (g *Group) Members() []*Member {
	g.mu.Lock()
	defer g.mu.Unlock()
	out := make([]*Member, 0, len(g.members))
	for _, m := range g.members {
		out = append(out, m)
	}
	slices.SortFunc(out, func(a, b *Member) int { return cmp.Compare(a.ID, b.ID) })
	return out
}

// Leave ends the owners and leaves every child running, for the next daemon.
func (g *Group) Leave() {
	g.cancel()
	g.owners.Wait()
}
