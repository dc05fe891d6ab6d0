// Package cluster runs the instances of one app. A [Group] owns their supervisors, replaces them one
// by one on a reload, and has a hub: the goroutine that owns the listening sockets they share and plays
// the primary of Node's cluster module towards them.
package cluster

import (
	"cmp"
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync"

	"gpm/app"
	"gpm/proc"
)

// Config is what a Group needs from the daemon. The functions are called from
// the owners of single instances and must not block.
type Config struct {
	App       uint64                           // its key
	Spec      func() app.Spec                  // as it is now
	Launcher  func(id, slot int) proc.Launcher // starts children for one instance
	Report    func(app.Status, []app.Event)    // each change of an instance, in order
	Permanent func(error) bool                 // a spawn error that no retry can mend
	Gone      func(id int)                     // an instance was deleted and its owner has ended
	Kill      func(Ref)                        // SIGKILL to a process and its tree
	Heard     func(Heard)                      // a message of a process
	Listening func() bool                      // whether anybody wants to know about such
	Keeper    Keeper
	Log       *slog.Logger
}

// Group is the instances of one app.
type Group struct {
	cfg    Config
	cancel context.CancelFunc
	ctx    context.Context
	owners sync.WaitGroup

	mu      sync.Mutex // guards what follows; held over nothing that blocks
	members map[int]*Member
	hub     *hub          // nil before its first use
	reload  *reloading    // nil while none goes on
	faces   map[Ref]*face // every supervisor that may have a child, those of replacements too
}

// New makes an empty group. The context given ends the owners without ending their children.
func New(ctx context.Context, cfg Config) *Group {
	ctx, cancel := context.WithCancel(ctx)
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &Group{cfg: cfg, ctx: ctx, cancel: cancel, members: map[int]*Member{}, faces: map[Ref]*face{}}
}

// theHub returns the hub, and starts it for the first caller.
func (g *Group) theHub() *hub {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.hub == nil {
		g.hub = newHub(g.ctx, hubConfig{
			app: g.cfg.App, keeper: g.cfg.Keeper, log: g.cfg.Log, spec: g.cfg.Spec, ready: g.ready, event: g.event, unwell: g.unwell, kill: g.cfg.Kill,
			heard: g.cfg.Heard, listening: g.cfg.Listening,
		})
		g.owners.Go(g.hub.run)
	}
	return g.hub
}

// existingHub returns the hub, or nil while nobody has needed it.
func (g *Group) existingHub() *hub {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.hub
}

// Prepare equips a process that is about to start, when there is something for it. Launched or
// Abandon must follow.
func (g *Group) Prepare(ctx context.Context, ref Ref, slot int, need Need) (Gear, error) {
	as := official
	if f := g.faceOf(ref); f != nil {
		as = f.as()
	}
	return g.theHub().prepare(ctx, ref, slot, as, need)
}

// Launched says that a prepared process runs.
func (g *Group) Launched(ref Ref, pid int) { g.theHub().launched(ref, pid) }

// Abandon says that a prepared process could not be started.
func (g *Group) Abandon(ref Ref) { g.theHub().abandon(ref) }

// Add gives an instance an owner. A child is what a new daemon found alive or ended; nil if there is none.
func (g *Group) Add(st app.Status, policy app.Policy, child proc.Child) *Member {
	m := &Member{ID: st.ID, Slot: st.Slot, group: g}
	f := g.newFace(m, official, st, policy, child)
	m.face.Store(f)
	g.mu.Lock()
	g.members[m.ID] = m
	g.mu.Unlock()
	g.run(f)
	return m
}

// newFace makes a supervisor for an instance; nothing happens before run.
func (g *Group) newFace(m *Member, r role, st app.Status, policy app.Policy, child proc.Child) *face {
	f := &face{member: m, role: r}
	f.Supervisor = proc.New(proc.Config{
		Status: st, Policy: policy, Child: child,
		Launcher: g.cfg.Launcher(m.ID, m.Slot), Report: f.report, Permanent: g.cfg.Permanent,
	})
	if child != nil {
		g.mu.Lock()
		f.ref = Ref{st.ID, st.Seq}
		g.faces[f.ref] = f
		g.mu.Unlock()
	}
	return f
}

// Knows says that a process belongs to an instance, also when that has a newer one.
func (g *Group) Knows(ref Ref) bool { return g.faceOf(ref) != nil }

// Restore takes over what an earlier daemon noted about the app's processes. It comes before Add. alive
// says which processes there are.
func (g *Group) Restore(notes map[string][]byte, alive func(Ref) bool) error {
	prefix := notePrefix(g.cfg.App)
	for name := range notes {
		if strings.HasPrefix(name, prefix) {
			h := g.theHub()
			return h.do(g.ctx, func() { h.restore(notes, alive) })
		}
	}
	return nil
}

// Resume begins to listen to the processes taken over. It comes after Add.
func (g *Group) Resume() error {
	h := g.existingHub()
	if h == nil {
		return nil
	}
	refs, wanted := g.officials(), map[int]bool{}
	for _, m := range g.Members() {
		st := m.Status()
		wanted[m.Slot] = st.Goal == app.Up && st.State != app.Errored
	}
	return h.do(g.ctx, func() {
		for _, ref := range refs { // also those that a reload had not got to
			h.promote(ref)
		}
		h.resume()
		h.tidy(wanted)
	})
}

// Holds lists the names under which the group's descriptors are kept.
func (g *Group) Holds() (names []string, err error) {
	h := g.existingHub()
	if h == nil {
		return nil, nil
	}
	err = h.do(g.ctx, func() { names = h.holds() })
	return names, err
}

// Stale picks from the names that are kept those of this package that nobody claims.
func Stale(kept, claimed []string) []string {
	var out []string
	for _, name := range kept {
		if isOurs(name) && !slices.Contains(claimed, name) {
			out = append(out, name)
		}
	}
	return out
}

// run has a goroutine of its own for a supervisor.
func (g *Group) run(f *face) {
	g.owners.Go(func() {
		f.Run(g.ctx)
		g.mu.Lock()
		if g.faces[f.ref] == f {
			delete(g.faces, f.ref)
		}
		g.mu.Unlock()
		if g.ctx.Err() != nil || f.member.face.Load() != f {
			return
		}
		g.mu.Lock()
		delete(g.members, f.member.ID)
		g.mu.Unlock()
		g.cfg.Gone(f.member.ID)
	})
}

// ready passes on that a process is up. Its owner may still be busy starting it.
func (g *Group) ready(ref Ref) {
	g.owners.Go(func() { // ends with the owner's answer
		if f := g.faceOf(ref); f != nil {
			_ = f.Ready(g.ctx, ref.Seq) //nolint:errcheck // an owner that ends needs to know no more
		}
	})
}

// unwell has a process shown as unhealthy from now on.
func (g *Group) unwell(ref Ref, wrong error) {
	if f := g.faceOf(ref); f != nil {
		_ = f.Judge(g.ctx, ref.Seq, wrong) //nolint:errcheck // an owner that ends needs to know no more
	}
}

// event records something about a process, which may have ended since and have a successor.
func (g *Group) event(ref Ref, ev app.Event) {
	if m := g.Member(ref.ID); m != nil {
		m.report(ev)
	}
}

func (g *Group) faceOf(ref Ref) *face {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.faces[ref]
}

// observe tells the hub about a change; the supervisor's children are known by their Ref from now on.
func (g *Group) observe(f *face, st app.Status) {
	g.mu.Lock()
	if ref := (Ref{st.ID, st.Seq}); ref != f.ref {
		if g.faces[f.ref] == f {
			delete(g.faces, f.ref)
		}
		g.faces[ref], f.ref = f, ref
	}
	h := g.hub
	g.mu.Unlock()
	if h != nil {
		as := f.as()
		h.box.post(func() { h.observe(st, f.member.Slot, as) })
	}
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
