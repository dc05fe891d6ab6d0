package launch

import (
	"slices"
	"testing"

	"gpm/app"
)

func TestSpread(t *testing.T) {
	allowed := func() []int { return []int{2, 5} }
	for _, c := range []struct {
		spec app.Spec
		slot int
		want []int
	}{
		{app.Spec{}, 1, nil},
		{app.Spec{CPUs: []int{0, 1}}, 1, []int{0, 1}},
		{app.Spec{CPUAffinity: app.Spread}, 0, []int{2}},
		{app.Spec{CPUAffinity: app.Spread}, 3, []int{5}},
		{app.Spec{CPUAffinity: app.Spread, CPUs: []int{7, 8, 9}}, 4, []int{8}},
	} {
		if got := cpusFor(c.spec, c.slot, allowed); !slices.Equal(got, c.want) {
			t.Errorf("%+v in slot %d: %v", c.spec, c.slot, got)
		}
	}
	if got := cpusFor(app.Spec{CPUAffinity: app.Spread}, 0, func() []int { return nil }); got != nil {
		t.Errorf("placed on %v without knowing any", got)
	}
}
