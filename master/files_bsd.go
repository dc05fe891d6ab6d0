//go:build darwin || freebsd

package master

// fileBudget has nothing to do here: Go's own raise of the soft limit must do.
type fileBudget struct{}

func (t *Table) makeRoom(int) {}

func (*fileBudget) restore(list []Rlimit) []Rlimit { return list }

// RaiseFiles does nothing: Go has raised the soft limit at start.
func RaiseFiles() error { return nil }
