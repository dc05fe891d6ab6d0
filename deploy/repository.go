package deploy

import (
	"bytes"
	"context"
	"errors"
	"os/exec"
	"strings"

	"gpm/app"
)

// Repository is a working copy on this machine, which moves along the commits of its branch.
type Repository struct {
	Dir string // in it
}

// Move says where a working copy is to go.
type Move struct {
	kind   moveKind
	commit string
}

type moveKind int

const (
	toUpstream moveKind = iota
	toCommit
	toNext
	toPrevious
)

// The moves: to the newest commit of the branch it follows, to one that is named, and one commit on or back.
var (
	Pull     = Move{kind: toUpstream}
	Forward  = Move{kind: toNext}
	Backward = Move{kind: toPrevious}
)

// PullTo moves to a commit, by anything that git knows it by.
func PullTo(commit string) Move { return Move{kind: toCommit, commit: commit} }

// Moved is what a move came to; From and To are equal when there was nothing to do.
type Moved struct {
	From, To string // whole names of commits
}

// Go makes a move. What is changed in the working copy and not committed would be lost, so that it is an error.
func (r Repository) Go(ctx context.Context, m Move) (Moved, error) {
	from, err := r.git(ctx, "rev-parse", "--verify", "HEAD")
	if err != nil {
		return Moved{}, err
	}
	changes, err := r.git(ctx, "status", "--porcelain", "--untracked-files=no")
	if err != nil {
		return Moved{}, err
	}
	if changes != "" {
		first, _, _ := strings.Cut(changes, "\n")
		return Moved{}, app.Errorf(app.CodeConflict, "there are changes that are not committed: %s", strings.TrimSpace(first)).WithHint("git -C %s status", r.Dir)
	}
	to, err := r.target(ctx, m, from)
	if err != nil || to == from {
		return Moved{from, from}, err
	}
	return Moved{from, to}, r.Reset(ctx, to)
}

// Reset puts the working copy and its branch onto a commit.
func (r Repository) Reset(ctx context.Context, commit string) error {
	_, err := r.git(ctx, "reset", "--quiet", "--hard", commit)
	return err
}

// target is the commit that a move leads to.
func (r Repository) target(ctx context.Context, m Move, from string) (string, error) {
	if m.kind == toPrevious {
		to, err := r.git(ctx, "rev-parse", "--verify", "--quiet", "HEAD~1")
		if err != nil {
			return "", app.Errorf(app.CodeNotFound, "it is at the first commit that is here")
		}
		return to, nil
	}
	if _, err := r.git(ctx, "fetch", "--quiet", "--all"); err != nil {
		return "", err
	}
	if m.kind == toCommit {
		to, err := r.git(ctx, "rev-parse", "--verify", "--quiet", "--end-of-options", m.commit+"^{commit}")
		if err != nil {
			return "", app.Errorf(app.CodeNotFound, "it has no commit %q", m.commit)
		}
		return to, nil
	}
	ahead, err := r.git(ctx, "rev-list", "--first-parent", "--ancestry-path", "HEAD..@{upstream}")
	if err != nil {
		return "", err
	}
	commits := strings.Fields(ahead) // the newest first
	switch {
	case len(commits) > 0 && m.kind == toNext:
		return commits[len(commits)-1], nil
	case len(commits) > 0:
		return commits[0], nil
	}
	own, err := r.git(ctx, "rev-list", "--count", "@{upstream}..HEAD")
	if err == nil && own != "0" && m.kind == toUpstream {
		return "", app.Errorf(app.CodeConflict, "it has commits of its own, which its upstream does not have").WithHint("git -C %s log @{upstream}..", r.Dir)
	}
	return from, err
}

// git returns what a git command prints. It asks nobody for a password: there is nobody to answer.
func (r Repository) git(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "git", append([]string{"-C", r.Dir}, args...)...)
	cmd.Env = append(cmd.Environ(), "GIT_TERMINAL_PROMPT=0", "LC_ALL=C")
	cmd.WaitDelay = grace
	var out, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &said
	err := cmd.Run()
	if errors.Is(err, exec.ErrNotFound) {
		return "", app.Errorf(app.CodeNotFound, "git is not on PATH")
	}
	if err != nil {
		why, _, _ := strings.Cut(strings.TrimSpace(said.String()), "\n")
		return "", app.Errorf(app.CodeInvalid, "git %s: %w: %s", args[0], err, strings.TrimPrefix(why, "fatal: "))
	}
	return strings.TrimSpace(out.String()), nil
}
