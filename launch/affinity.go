package launch

import "gpm/app"

// cpusFor returns where an instance may run. Spread gives each instance one CPU of those allowed, in turn.
func cpusFor(spec app.Spec, slot int, allowed func() []int) []int {
	if spec.CPUAffinity != app.Spread {
		return spec.CPUs
	}
	among := spec.CPUs
	if len(among) == 0 {
		among = allowed()
	}
	if len(among) == 0 {
		return nil
	}
	return []int{among[slot%len(among)]}
}
