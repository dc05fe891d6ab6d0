package daemon

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"gpm/app"
)

// simulate runs a scaler for so many seconds over an app whose work is spread over its instances; each does at most 100.
// It returns the numbers of instances, one a second.
func simulate(a app.Autoscale, start, seconds int, work func(second int) float64) (counts []int) {
	var s scaling
	n := start
	for second := range seconds {
		total := min(work(second), float64(100*n))
		s, n, _ = s.next(look{time.Unix(int64(second), 0), total}, n, a)
		counts = append(counts, n)
	}
	return counts
}

func steady(work float64) func(int) float64 { return func(int) float64 { return work } }

func last(counts []int) int { return counts[len(counts)-1] }

func TestScaling(t *testing.T) {
	a := app.Autoscale{Min: 1, Max: 8, Target: 70, Cooldown: 20 * time.Second, Metric: app.ScaleByLoop}
	for name, c := range map[string]struct {
		start int
		work  float64
		want  int
	}{
		"idle":                      {1, 2, 1},
		"idle with many":            {6, 2, 1},
		"busy, within the band":     {2, 150, 2}, // 75 % each, 70 wanted
		"too busy":                  {1, 95, 2},
		"far too busy":              {1, 400, 6},
		"more than can be":          {1, 5000, 8},
		"two are enough":            {4, 100, 2},
		"one less would be too few": {3, 130, 3}, // 65 % each of two
		"below the bounds":          {0, 0, 1},
		"above the bounds":          {12, 5000, 8},
	} {
		if got := last(simulate(a, c.start, 400, steady(c.work))); got != c.want {
			t.Errorf("%s: %d instances, want %d", name, got, c.want)
		}
	}
}

// TestScalingTakesItsTime: up within seconds, down only after a cooldown of quiet.
func TestScalingTakesItsTime(t *testing.T) {
	a := app.Autoscale{Min: 1, Max: 4, Target: 50, Cooldown: 30 * time.Second}
	counts := simulate(a, 1, 100, func(second int) float64 {
		if second >= 10 && second < 20 || second == 35 { // a peak, and a moment of one
			return 180
		}
		return 5
	})
	for second, want := range map[int]int{9: 1, 11: 1, 12: 2, 19: 4, 40: 4, 64: 4, 70: 3} {
		if counts[second] != want {
			t.Errorf("after %d s there are %d, want %d: %v", second, counts[second], want, counts)
		}
	}
}

// TestScalingSettles: under a steady load, whatever it is, the number comes to rest within the bounds.
func TestScalingSettles(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := app.Autoscale{Min: rapid.IntRange(1, 5).Draw(t, "min"), Target: rapid.IntRange(5, 99).Draw(t, "target"), Cooldown: 10 * time.Second}
		a.Max = a.Min + rapid.IntRange(0, 20).Draw(t, "more")
		work := rapid.Float64Range(0, 3000).Draw(t, "work")
		counts := simulate(a, rapid.IntRange(1, 30).Draw(t, "start"), 1000, steady(work))
		for _, n := range counts[1:] {
			if n < a.Min || n > a.Max {
				t.Fatalf("%d instances", n)
			}
		}
		for _, n := range counts[len(counts)-100:] {
			if n != last(counts) {
				t.Fatalf("it goes up and down: %v", counts[len(counts)-100:])
			}
		}
		if n := last(counts); n < a.Max && min(work, float64(100*n)) > tooBusy(a.Target)*float64(n)+0.001 {
			t.Fatalf("%d instances do %v", n, work)
		}
	})
}
