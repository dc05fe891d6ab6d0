package daemon

import (
	"errors"
	"testing"

	"gpm/app"
	"gpm/cluster"
	"gpm/store"
)

func TestNewCount(t *testing.T) {
	for change, want := range map[string]int{"4": 4, "+2": 5, "-1": 2, "1": 1, "+0": 3} {
		if got, err := newCount(3, change); err != nil || got != want {
			t.Errorf("%s of 3: %d, %v", change, got, err)
		}
	}
	for _, change := range []string{"0", "-3", "-9", "", "x", "1.5", "+", "99999999999999999999"} {
		if got, err := newCount(3, change); !errors.Is(err, app.ErrInvalid) {
			t.Errorf("%q of 3: %d, %v", change, got, err)
		}
	}
}

func TestWithMode(t *testing.T) {
	listen := []string{"tcp://:80"}
	for _, c := range []struct {
		spec    app.Spec
		runtime string
		counted bool
		want    app.ExecMode // "" = refused
	}{
		{app.Spec{}, "node", true, app.Cluster},
		{app.Spec{}, "node", false, app.Fork},
		{app.Spec{}, "", true, app.Fork},
		{app.Spec{ExecMode: app.Fork}, "node", true, app.Fork},
		{app.Spec{ExecMode: app.Cluster}, "bun", false, app.Cluster},
		{app.Spec{ExecMode: app.Cluster}, "", true, ""},
		{app.Spec{ExecMode: app.Cluster, Listen: listen}, "", true, app.Cluster},
		{app.Spec{Listen: listen}, "node", true, app.Fork},
		{app.Spec{Listen: []string{"80"}}, "", true, ""},
	} {
		got, err := withMode(c.spec, c.runtime, c.counted)
		if c.want == "" && err == nil || c.want != "" && (err != nil || got.ExecMode != c.want) {
			t.Errorf("%+v: %q, %v", c, got.ExecMode, err)
		}
	}
}

func TestElect(t *testing.T) {
	for _, c := range []struct {
		name     string
		children []found
		seq      uint64
		want     uint64
	}{
		{"the only one", []found{{seq: 3}}, 3, 3},
		{"started and not noted", []found{{seq: 4}}, 3, 4},
		{"before a reload took over", []found{{seq: 3}, {seq: 1003}}, 3, 3},
		{"after it did", []found{{seq: 3}, {seq: 1003}}, 1003, 1003},
		{"the old one has died", []found{{seq: 3, ended: true}, {seq: 1003}}, 3, 1003},
		{"both have died", []found{{seq: 3, ended: true}, {seq: 1003, ended: true}}, 3, 1003},
	} {
		got := elect(c.children, c.seq)
		if got[0].seq != c.want || len(got) != len(c.children) {
			t.Errorf("%s: %d", c.name, got[0].seq)
		}
	}
}

func TestWantedInstances(t *testing.T) {
	rec := store.App{Instances: []store.Instance{{ID: 5, Slot: 1}, {ID: 2}, {ID: 3, Goal: app.Gone}}}
	got := wantedInstances(rec)
	if len(got) != 2 || got[0].ID != 2 || got[1].ID != 5 {
		t.Errorf("%+v", got)
	}
}

func TestBusDropsForSlowListeners(t *testing.T) {
	var b bus
	a := &application{}
	a.record.Store(&store.App{Spec: app.Spec{Name: "web"}})
	l := b.subscribe()
	for range busQueue + 10 {
		b.publish(a, cluster.Heard{Type: "x"})
	}
	for range busQueue {
		<-l.messages
	}
	b.publish(a, cluster.Heard{Type: "x"})
	if m := <-l.messages; m.Dropped != 10 || m.Name != "web" {
		t.Errorf("%+v", m)
	}
	b.leave(l)
	if b.hasListeners() {
		t.Error("somebody listens still")
	}
}
