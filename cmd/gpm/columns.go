package main

import (
	"math"
	"strings"
	"unicode/utf8"
)

// inspectGroup is how many entries of a list stand beside each other without being laid out in columns.
const inspectGroup = 6

// inspectColumns lays the entries of a list out as Node does, and returns the lines. Entries that are too long or
// too different in length stay as they are.
func inspectColumns(entries []string, indent int, numbers bool) []string {
	lengths := make([]int, len(entries))
	total, longest := 0, 0
	for i, e := range entries {
		lengths[i] = utf8.RuneCountInString(e)
		total += lengths[i] + 2
		longest = max(longest, lengths[i])
	}
	most := longest + 2
	if most*3+indent >= inspectWidth || (float64(total)/float64(most) <= 5 && longest > 6) {
		return entries
	}
	columns := columnCount(len(entries), total, most, indent)
	if columns <= 1 {
		return entries
	}
	widths := make([]int, columns)
	for i, n := range lengths {
		widths[i%columns] = max(widths[i%columns], n+2)
	}
	var lines []string
	for from := 0; from < len(entries); from += columns {
		lines = append(lines, columnLine(entries[from:min(from+columns, len(entries))], widths, numbers))
	}
	return lines
}

// columnCount aims at a block 2.5 times as wide as it is high.
func columnCount(n, total, most, indent int) int {
	bias := math.Sqrt(float64(most) - float64(total)/float64(n))
	biased := math.Max(float64(most)-3-bias, 1)
	return min(int(math.Round(math.Sqrt(2.5*biased*float64(n))/biased)), (inspectWidth-indent)/most, inspectCompact*4, 15)
}

// columnLine aligns numbers to the right, anything else to the left.
func columnLine(entries []string, widths []int, numbers bool) string {
	var b strings.Builder
	for i, e := range entries {
		last := i == len(entries)-1
		if !last {
			e += ", "
		}
		fill := strings.Repeat(" ", max(0, widths[i]-utf8.RuneCountInString(e)))
		switch {
		case numbers && last:
			b.WriteString(strings.TrimSuffix(fill, "  ") + e)
		case numbers:
			b.WriteString(fill + e)
		case last:
			b.WriteString(e)
		default:
			b.WriteString(e + fill)
		}
	}
	return b.String()
}
