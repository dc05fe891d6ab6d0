package daemon

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"

	"gpm/app"
	"gpm/cluster"
	"gpm/launch"
	"gpm/store"
)

// heard takes a message of an app: it goes to the bus, but for the one by which an app configures itself.
func (d *Daemon) heard(a *application, m cluster.Heard) {
	if m.Type != cluster.TypeConfiguration {
		d.bus.publish(a, m)
		return
	}
	var wanted struct {
		Name string `json:"name"`
	}
	old := a.spec().Name
	if json.Unmarshal(m.Data, &wanted) != nil || wanted.Name == "" || wanted.Name == old {
		return
	}
	if err := d.rename(a, wanted.Name); err != nil {
		d.cfg.Log.Warn("An app cannot rename itself", "name", old, "to", wanted.Name, "err", err)
	}
}

var (
	errNameTaken = errors.New("another app has that name")
	errAwaited   = errors.New("another app depends on it by its name")
)

// rename gives an app another name. Its files stay where they are: they are open.
func (d *Daemon) rename(a *application, name string) error {
	d.admission.Lock()
	defer d.admission.Unlock()
	old := a.spec().Name
	for _, other := range d.apps.all() {
		spec := other.spec()
		switch {
		case other == a:
		case spec.Name == name:
			return errNameTaken
		case slices.ContainsFunc(spec.DependsOn, func(on app.Dependency) bool { return on.App == old }):
			return fmt.Errorf("%w: %s", errAwaited, spec.Name)
		}
	}
	return d.intend(a.instances(), func(rec *store.App) error {
		rec.Spec = renamed(rec.Spec, name, d.cfg.Home)
		return launch.Validate(rec.Spec)
	})
}

// renamed is a spec by another name with the files that it has had.
func renamed(spec app.Spec, name, home string) app.Spec {
	old := launch.FileName(spec.Name)
	keep := func(path *string, unset string, parts ...string) {
		if *path == unset {
			*path = filepath.Join(append([]string{home}, parts...)...)
		}
	}
	keep(&spec.OutFile, "", "logs", old+"-out.log")
	keep(&spec.ErrorFile, "", "logs", old+"-error.log")
	keep(&spec.LogFile, "true", "logs", old+".log")
	keep(&spec.PidFile, "", "pids", old+".pid")
	spec.Name = name
	return spec
}
