package daemon

import (
	"cmp"
	"slices"
	"sync"
	"sync/atomic"

	"gpm/app"
	"gpm/cluster"
	"gpm/store"
)

// application is one app: what the user wants of it, and the group that runs it.
type application struct {
	group     *cluster.Group
	intent    sync.Mutex                // serialises changes of record
	record    atomic.Pointer[store.App] // as on disk; never changed in place
	about     atomic.Pointer[about]     // set at each start
	unlimited atomic.Pointer[string]    // which limits are not in force, as last told
	turn      turn                      // of who gives its instances new processes unasked
	well      wellness                  // of instances that have passed their health check
}

func (a *application) spec() app.Spec { return a.record.Load().Spec }

// registry is the list of apps.
type registry struct {
	mu   sync.RWMutex // guards apps; held over nothing that blocks
	apps map[uint64]*application
}

func (r *registry) add(key uint64, a *application) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.apps[key] = a
}

func (r *registry) remove(key uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.apps, key)
}

func (r *registry) byKey(key uint64) *application {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.apps[key]
}

func (r *registry) all() []*application {
	r.mu.RLock()
	defer r.mu.RUnlock()
	out := make([]*application, 0, len(r.apps))
	for _, a := range r.apps {
		out = append(out, a)
	}
	slices.SortFunc(out, func(a, b *application) int { return cmp.Compare(a.record.Load().Key, b.record.Load().Key) })
	return out
}

// instance is one member of one app.
type instance struct {
	app    *application
	member *cluster.Member
}

// instances lists every instance in the order of ids.
func (r *registry) instances() []instance {
	var out []instance
	for _, a := range r.all() {
		for _, m := range a.group.Members() {
			out = append(out, instance{a, m})
		}
	}
	slices.SortFunc(out, func(a, b instance) int { return cmp.Compare(a.member.ID, b.member.ID) })
	return out
}

// find returns what the selectors name, each instance once, in the order of the selectors;
// no selector means all.
func (r *registry) find(selectors []string) ([]instance, error) {
	all := r.instances()
	if len(selectors) == 0 {
		return all, nil
	}
	list, scripts := make([]app.Status, len(all)), make([]string, len(all))
	for i, in := range all {
		list[i], scripts[i] = in.app.complete(in.member.Status()), in.app.spec().Script
	}
	var out []instance
	seen := map[int]bool{}
	for _, sel := range selectors {
		found, err := app.Select(sel, list, scripts)
		if err != nil {
			return nil, err
		}
		for _, i := range found {
			if !seen[i] {
				seen[i] = true
				out = append(out, all[i])
			}
		}
	}
	return out, nil
}

// instances lists those of one app.
func (a *application) instances() []instance {
	var out []instance
	for _, m := range a.group.Members() {
		out = append(out, instance{a, m})
	}
	return out
}
