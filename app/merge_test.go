package app

import (
	"testing"
	"time"
)

func TestMergeTakesOnlyWhatIsSet(t *testing.T) {
	base := Spec{Name: "api", Args: []string{"a"}, Env: map[string]string{"A": "1", "B": "2"}, Policy: DefaultPolicy()}
	over := Spec{Name: "other", Args: nil, Env: map[string]string{"B": "3"}, Policy: Policy{KillTimeout: time.Minute}}
	got := Merge(base, over, Fields{"args": true, "env": true, "policy.kill_timeout": true})
	if got.Name != "api" || got.Args != nil || got.Policy.KillTimeout != time.Minute {
		t.Errorf("wrong fields: %+v", got)
	}
	if got.Policy.MinUptime != time.Second {
		t.Errorf("an unset policy field changed: %v", got.Policy.MinUptime)
	}
	if got.Env["A"] != "1" || got.Env["B"] != "3" {
		t.Errorf("environment not merged: %v", got.Env)
	}
	got.Env["A"] = "x"
	if base.Env["A"] != "1" {
		t.Error("merge shares the base's map")
	}
}

func TestSelect(t *testing.T) {
	list := []Status{
		{ID: 0, Name: "api", Namespace: "web"}, {ID: 1, Name: "api", Namespace: "web"},
		{ID: 2, Name: "job", Namespace: "default"}, {ID: 7, Name: "0", Namespace: "default"},
	}
	scripts := []string{"/srv/api.js", "/srv/api.js", "/srv/job.sh", "/srv/zero"}
	for _, c := range []struct {
		sel  string
		want []int
	}{
		{"api", []int{0, 1}}, {"web", []int{0, 1}}, {"2", []int{2}}, {"0", []int{3}}, {"all", []int{0, 1, 2, 3}},
		{"/^a/", []int{0, 1}}, {"/srv/job.sh", []int{2}}, {"1", []int{1}}, {"nope", nil}, {"/x{2/", nil}, {"9", nil},
	} {
		got, err := Select(c.sel, list, scripts)
		if (err != nil) != (c.want == nil) {
			t.Errorf("%s: error %v", c.sel, err)
		}
		if len(got) != len(c.want) {
			t.Errorf("%s: got %v, want %v", c.sel, got, c.want)
			continue
		}
		for i := range got {
			if got[i] != c.want[i] {
				t.Errorf("%s: got %v, want %v", c.sel, got, c.want)
			}
		}
	}
}

func TestStateTextRoundTrip(t *testing.T) {
	for s := Stopped; s <= Unhealthy; s++ {
		b, _ := s.MarshalText()
		var back State
		if err := back.UnmarshalText(b); err != nil || back.String() != s.String() {
			t.Errorf("%v reads back as %v, %v", s, back, err)
		}
	}
}
