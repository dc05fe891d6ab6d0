package deploy

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestRepository goes along three commits, there and back.
func TestRepository(t *testing.T) {
	w := newWorld(t)
	one := w.git(w.local, "rev-parse", "HEAD")
	place := filepath.Join(filepath.Dir(w.local), "app")
	w.git(filepath.Dir(place), "clone", "-q", w.repo, place)
	two, three := w.commit("two"), w.commit("three")
	r := Repository{Dir: place}
	for i, step := range []struct {
		move     Move
		from, to string
	}{
		{Forward, one, two}, {Forward, two, three}, {Forward, three, three}, {Backward, three, two}, {Pull, two, three}, {Pull, three, three},
		{PullTo(one), three, one}, {Pull, one, three}, {PullTo("HEAD~1"), three, two},
	} {
		moved, err := r.Go(t.Context(), step.move)
		if err != nil || moved != (Moved{step.from, step.to}) || w.git(place, "rev-parse", "HEAD") != step.to {
			t.Errorf("step %d: %+v %v, want %s to %s", i, moved, err, step.from, step.to)
		}
	}
}

func TestRepositoryRefuses(t *testing.T) {
	w := newWorld(t)
	place := filepath.Join(filepath.Dir(w.local), "app")
	w.git(filepath.Dir(place), "clone", "-q", w.repo, place)
	r := Repository{Dir: place}
	refuse := func(m Move, words string) {
		t.Helper()
		before := w.git(place, "rev-parse", "HEAD")
		_, err := r.Go(t.Context(), m)
		if err == nil || !strings.Contains(err.Error(), words) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%v, want one that says %q", err, words)
		}
		if after := w.git(place, "rev-parse", "HEAD"); after != before {
			t.Errorf("moved to %s all the same", after)
		}
	}
	refuse(Backward, "first commit")
	refuse(PullTo("nosuch"), `no commit "nosuch"`)
	refuse(PullTo("--all"), `no commit "--all"`)
	w.git(place, "commit", "-q", "--allow-empty", "-m", "mine")
	refuse(Pull, "commits of its own")
	w.git(place, "reset", "-q", "--hard", "HEAD~1")
	if err := os.WriteFile(filepath.Join(place, "v.txt"), []byte("edited"), 0o644); err != nil {
		t.Fatal(err)
	}
	refuse(Pull, "not committed: M v.txt")
	w.git(place, "checkout", "-q", "v.txt")
	w.git(place, "checkout", "-q", "--detach")
	refuse(Pull, "git rev-list")
	r.Dir = filepath.Dir(place)
	if _, err := r.Go(t.Context(), Pull); err == nil || !strings.Contains(err.Error(), "not a git repository") {
		t.Error(err)
	}
}
