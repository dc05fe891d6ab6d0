package daemon

import (
	"slices"
	"testing"

	"gpm/proc"
)

// TestLeaders: of each instance that is wanted the newest process is adopted, and with their sockets all.
func TestLeaders(t *testing.T) {
	all := []proc.Survivor{
		{ID: 1, Seq: 4, PID: 14, Leader: true}, {ID: 1, Seq: 4, PID: 15}, {ID: 1, Seq: 5, PID: 16, Leader: true},
		{ID: 2, Seq: 9, PID: 29, Leader: true}, {ID: 3, Seq: 1, PID: 31, Leader: true},
	}
	for every, want := range map[bool][]int{false: {16, 29}, true: {14, 16, 29}} {
		var got []int
		for _, s := range leaders(all, map[int]bool{1: true, 2: true, 4: true}, every) {
			got = append(got, s.PID)
		}
		if !slices.Equal(got, want) {
			t.Errorf("every %v: %v, want %v", every, got, want)
		}
	}
}
