package daemon

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"gpm/app"
	"gpm/launch"
)

// How long a process may take to answer, besides the time of a profile. Writing a large heap takes minutes.
const (
	modulesLimit  = 15 * time.Second
	profileLimit  = 2 * time.Minute
	snapshotLimit = 30 * time.Minute
)

// postInspect has Node processes tell about themselves, all at the same time.
func (d *Daemon) postInspect(ctx context.Context, req app.InspectRequest, send func(app.Inspected) error) error {
	targets, err := d.inspectable(ctx, req)
	if err != nil {
		return err
	}
	results := make(chan app.Inspected)
	var all sync.WaitGroup
	for _, in := range targets {
		all.Go(func() { results <- inspect(ctx, in, req) })
	}
	go func() { // ends when all have answered, for which the loop below waits
		all.Wait()
		close(results)
	}()
	var gone error
	for r := range results {
		if gone == nil {
			gone = send(r)
		}
	}
	return gone
}

// inspectable lists the selected processes that have an agent.
func (d *Daemon) inspectable(ctx context.Context, req app.InspectRequest) ([]instance, error) {
	found, err := d.apps.find(req.Selectors)
	if err != nil {
		return nil, err
	}
	targets := slices.DeleteFunc(slices.Clone(found), func(in instance) bool { return !in.member.HasAgent(ctx) })
	switch {
	case len(found) > 0 && len(targets) == 0:
		return nil, app.Errorf(app.CodeConflict, "cannot inspect %q: it is no Node process with an agent", found[0].app.spec().Name).
			WithHint("processes of Node that run have one, unless they were started with --no-agent or as another user")
	case req.File != "" && len(targets) > 1:
		return nil, app.Errorf(app.CodeInvalid, "cannot write %d processes into one file %s", len(targets), req.File).
			WithHint("name one process by its id, or leave the file's name to gpm")
	case req.What != app.InspectModules && req.File == "" && !filepath.IsAbs(req.Dir):
		return nil, app.Errorf(app.CodeInvalid, "cannot write into %q: an absolute path is needed", req.Dir)
	}
	return targets, nil
}

func inspect(ctx context.Context, in instance, req app.InspectRequest) app.Inspected {
	st := in.app.complete(in.member.Status())
	out := app.Inspected{ID: st.ID, Name: st.Name}
	var err error
	if out.File = req.File; out.File == "" && req.What != app.InspectModules {
		out.File = filepath.Join(req.Dir, inspectionName(st, req.What, time.Now()))
	}
	switch req.What {
	case app.InspectModules:
		ctx, cancel := context.WithTimeout(ctx, modulesLimit)
		defer cancel()
		out.Modules, err = in.member.Modules(ctx)
	case app.InspectHeap:
		ctx, cancel := context.WithTimeout(ctx, snapshotLimit)
		defer cancel()
		err = in.member.HeapSnapshot(ctx, out.File)
	case app.InspectCPUProfile, app.InspectHeapProfile:
		ctx, cancel := context.WithTimeout(ctx, req.Time+profileLimit)
		defer cancel()
		profile := in.member.CPUProfile
		if req.What == app.InspectHeapProfile {
			profile = in.member.HeapProfile
		}
		err = profile(ctx, out.File, req.Time)
	default:
		err = app.Errorf(app.CodeInvalid, "cannot inspect %q: no such inspection", req.What)
	}
	return finishInspection(out, err)
}

// finishInspection adds how it went. A process that does not answer may still write its file later.
func finishInspection(out app.Inspected, err error) app.Inspected {
	if errors.Is(err, context.DeadlineExceeded) {
		err = app.Errorf(app.CodeTimeout, "cannot inspect %q (%d): it does not answer, its event loop may hang", out.Name, out.ID)
	}
	if err == nil && out.File != "" {
		var info os.FileInfo
		if info, err = os.Stat(out.File); err == nil {
			out.Size = info.Size()
		}
	}
	if err != nil {
		out.Error, out.File = app.AsError(err), ""
	}
	return out
}

var inspectionSuffix = map[app.Inspection]string{
	app.InspectHeap: "heapsnapshot", app.InspectCPUProfile: "cpuprofile", app.InspectHeapProfile: "heapprofile",
}

// inspectionName is that of a file: api-0-20060102T150405.000.cpuprofile. The suffix tells Chrome DevTools what it is.
func inspectionName(st app.Status, what app.Inspection, now time.Time) string {
	return fmt.Sprintf("%s-%d-%s.%s", launch.FileName(st.Name), st.ID, now.Format("20060102T150405.000"), inspectionSuffix[what])
}
