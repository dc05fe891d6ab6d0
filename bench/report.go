//go:build linux

package main

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"
)

// report collects the rows of the table.
type report struct {
	size
	rows []row
}

// row is one line: figures are gpm's and, where there are any, pm2's and supervisord's.
type row struct {
	what, unit string
	figures    []float64
	target     string
	met        string
	better     float64 // how many times gpm is ahead
}

// add notes a figure of which less is better; figures are gpm's and pm2's.
func (r *report) add(what, unit string, figures []float64, target string, limit float64) {
	met := "missed"
	if figures[0] <= limit {
		met = "met"
	}
	line := row{what: what, unit: unit, figures: figures, target: target, met: met}
	if len(figures) > 1 && figures[0] > 0 {
		line.better = figures[1] / figures[0]
	}
	r.rows = append(r.rows, line)
}

// addTimes notes a rate that has to be so many times pm2's.
func (r *report) addTimes(what string, figures []float64, target string, times float64) {
	r.addLeast(what, figures, target, times*figures[1])
}

// addLeast notes a rate with a target.
func (r *report) addLeast(what string, figures []float64, target string, least float64) {
	r.addRate(what, figures)
	line := &r.rows[len(r.rows)-1]
	line.target, line.met = target, "missed"
	if figures[0] >= least {
		line.met = "met"
	}
}

// addRatio notes how many times gpm is as fast as something else.
func (r *report) addRatio(what string, ratio, least float64) {
	line := row{what: what, unit: "×", figures: []float64{ratio}, target: fmt.Sprintf("≥ %.1f ×", least), met: "missed"}
	if ratio >= least {
		line.met = "met"
	}
	r.rows = append(r.rows, line)
}

// addCost notes a figure without a target, of which less is better.
func (r *report) addCost(what, unit string, figure float64) {
	r.rows = append(r.rows, row{what: what, unit: unit, figures: []float64{figure}})
}

// addRate notes a figure of which more is better.
func (r *report) addRate(what string, figures []float64) { r.addMore(what, "/s", figures) }

func (r *report) addMore(what, unit string, figures []float64) {
	line := row{what: what, unit: unit, figures: figures}
	if len(figures) > 1 && figures[1] > 0 {
		line.better = figures[0] / figures[1]
	}
	r.rows = append(r.rows, line)
}

func (r *report) print(w io.Writer) {
	load, _ := os.ReadFile("/proc/loadavg")
	fmt.Fprintf(w, "%d cores, %s, load average %s\n\n", runtime.NumCPU(), runtime.Version(), strings.Fields(string(load) + " ?")[0])
	fmt.Fprintln(w, "| | gpm | pm2 | supervisord | times better than pm2 | target | |\n|---|--:|--:|--:|--:|--:|---|")
	for _, row := range r.rows {
		pm2, third, better := "–", "–", "–"
		if len(row.figures) > 1 {
			pm2 = figure(row.figures[1], row.unit)
		}
		if len(row.figures) > 2 {
			third = figure(row.figures[2], row.unit)
		}
		if row.better > 0 {
			better = fmt.Sprintf("%.1f", row.better)
		}
		fmt.Fprintf(w, "| %s | %s | %s | %s | %s | %s | %s |\n", row.what, figure(row.figures[0], row.unit), pm2, third, better, row.target, row.met)
	}
}

func figure(v float64, unit string) string {
	switch {
	case v >= 100:
		return fmt.Sprintf("%.0f %s", v, unit)
	case v >= 1:
		return fmt.Sprintf("%.1f %s", v, unit)
	}
	return fmt.Sprintf("%.2f %s", v, unit)
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

func medians(samples [][]float64) []float64 {
	var out []float64
	for _, s := range samples {
		out = append(out, median(s))
	}
	return out
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}
