package daemon

import (
	"errors"
	"slices"
	"testing"

	"gpm/app"
)

func TestDecide(t *testing.T) {
	list := []existing{
		{app.Status{ID: 0, Name: "api", Namespace: "web", State: app.Online}, "/srv/api.js"},
		{app.Status{ID: 1, Name: "job", Namespace: "default", State: app.Stopped}, "/srv/job.sh"},
		{app.Status{ID: 2, Name: "api", Namespace: "web", State: app.Online}, "/srv/api.js"},
	}
	for _, c := range []struct {
		target, script string
		force          bool
		ids            []int
		name           string // of the new spec
		err            error
	}{
		{target: "api", ids: []int{0, 2}},
		{target: "web", ids: []int{0, 2}},
		{target: "1", ids: []int{1}},
		{target: "all", ids: []int{0, 1, 2}},
		{target: "9", err: app.ErrNotFound},
		{target: "api.js", script: "/srv/api.js", err: app.ErrConflict},
		{target: "api.js", script: "/srv/api.js", force: true, name: "api"},
		{target: "job.sh", script: "/srv/job.sh", ids: []int{1}},
		{target: "./other.py", script: "/srv/other.py", name: "other"},
		{target: "node plain.js --foo", name: "node plain"},
		{target: "ls", name: "ls"},
		{target: ".hidden", script: "/srv/.hidden", name: ".hidden"},
	} {
		d, err := decide(c.target, c.script, app.StartRequest{Force: c.force}, list)
		if !errors.Is(err, c.err) {
			t.Errorf("%s: error %v, want %v", c.target, err, c.err)
		}
		if !slices.Equal(d.ids, c.ids) || d.spec.Name != c.name {
			t.Errorf("%s: ids %v name %q, want %v %q", c.target, d.ids, d.spec.Name, c.ids, c.name)
		}
	}
}

func TestNewSpecTakesOnlySetOptions(t *testing.T) {
	req := app.StartRequest{Spec: app.Spec{Cwd: "/srv", Env: map[string]string{"A": "1"}, Instances: 3}, Set: app.Fields{"instances": true}}
	spec := newSpec("x.sh", "/srv/x.sh", req)
	if spec.Instances != 3 || spec.Cwd != "/srv" || spec.Env["A"] != "1" || spec.Policy.KillSignal != "SIGINT" || spec.Namespace != "default" {
		t.Errorf("unexpected spec %+v", spec)
	}
}
