package daemon

import (
	"errors"
	"reflect"

	"gpm/app"
	"gpm/launch"
	"gpm/store"
)

// changeRecord applies what a request wants to an app's record: the goals of the targeted instances, and new
// settings. Goal Gone is final. An app that gets another name keeps its files, which stand in the home.
func changeRecord(rec *store.App, goal *app.Goal, targets []instance, req app.ActionRequest, home string) error {
	if goal != nil {
		setGoals(rec, *goal, targets)
	}
	if req.Spec == nil {
		return nil
	}
	set := app.Fields{}
	for name := range req.Set {
		set[name] = true
	}
	set["env"] = req.UpdateEnv
	if set["name"] && req.Spec.Name != rec.Spec.Name {
		rec.Spec = renamed(rec.Spec, req.Spec.Name, home)
	}
	rec.Spec = asTask(app.Merge(rec.Spec, *req.Spec, set))
	return errors.Join(launch.Validate(rec.Spec), checkUpkeep(rec.Spec), checkReady(rec.Spec))
}

func setGoals(rec *store.App, goal app.Goal, targets []instance) {
	wanted := map[int]bool{}
	for _, in := range targets {
		wanted[in.member.ID] = true
	}
	for i, in := range rec.Instances {
		if wanted[in.ID] && in.Goal != app.Gone {
			rec.Instances[i].Goal = goal
		}
	}
}

func sameRecord(a, b store.App) bool { return reflect.DeepEqual(a, b) }
