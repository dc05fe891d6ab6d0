package main

import (
	"io"
	"strings"
)

// column is one column of a table.
type column struct {
	title string
	least int // width with a space on either side, whatever the cells hold
	most  int // longer cells are cut; 0 = no limit
	extra int // room beyond the longest cell
}

// cell is a text with its colour.
type cell struct {
	text  string
	style style
}

// table is drawn with boxes. A table without titles has no head.
type table struct {
	columns []column
	rows    [][]cell
}

// widths returns the width of each column, the spaces on either side included.
func (t table) widths() []int {
	out := make([]int, len(t.columns))
	for i, col := range t.columns {
		longest := textWidth(col.title)
		for _, row := range t.rows {
			longest = max(longest, textWidth(row[i].text)+col.extra)
		}
		out[i] = max(col.least, longest+2)
		if col.most > 0 {
			out[i] = min(out[i], col.most)
		}
	}
	return out
}

// width returns how many columns of a terminal the table takes.
func (t table) width() int {
	n := 1
	for _, w := range t.widths() {
		n += w + 1
	}
	return n
}

// draw writes the table in one piece.
func (t table) draw(w io.Writer, p painter) error {
	widths := t.widths()
	var b strings.Builder
	b.Grow((len(t.rows) + 4) * 4 * (t.width() + 8))
	rule(&b, widths, "┌", "┬", "┐")
	if titles := t.titles(); titles != nil {
		line(&b, p, titles, widths)
	}
	if t.titles() != nil && len(t.rows) > 0 {
		rule(&b, widths, "├", "┼", "┤")
	}
	for _, row := range t.rows {
		line(&b, p, row, widths)
	}
	rule(&b, widths, "└", "┴", "┘")
	_, err := io.WriteString(w, b.String())
	return err
}

func (t table) titles() []cell {
	var out []cell
	any := false
	for _, col := range t.columns {
		out = append(out, cell{col.title, head})
		any = any || col.title != ""
	}
	if !any {
		return nil
	}
	return out
}

func rule(b *strings.Builder, widths []int, left, middle, right string) {
	for i, w := range widths {
		if i == 0 {
			b.WriteString(left)
		} else {
			b.WriteString(middle)
		}
		b.WriteString(strings.Repeat("─", w))
	}
	b.WriteString(right + "\n")
}

func line(b *strings.Builder, p painter, cells []cell, widths []int) {
	for i, c := range cells {
		text := cut(c.text, widths[i]-2)
		b.WriteString("│ ")
		b.WriteString(p.paint(c.style, text))
		b.WriteString(strings.Repeat(" ", widths[i]-1-textWidth(text)))
	}
	b.WriteString("│\n")
}
