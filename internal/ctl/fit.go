package ctl

import (
	"slices"
	"strings"

	"github.com/jedib0t/go-pretty/v6/text"
)

// columnGap is the space behind each column of a table.
const columnGap = 2

// narrower is one way to save room in a table that is wider than the terminal.
type narrower struct {
	column string // as it is headed

	// As and cell are a shorter header and shorter cells, by row; without cell, the
	// column is left out.
	as   string
	cell func(row int) string
}

// fit saves room, one way after the other, until a table is no wider than width
// columns, or there are no more ways; 0 is room for everything. It returns the table
// and the headers of the columns that it left out.
func fit(width int, header []string, rows [][]string, ways []narrower) (h []string, r [][]string, out []string) {
	h, r = slices.Clone(header), make([][]string, len(rows))
	for i := range rows {
		r[i] = slices.Clone(rows[i])
	}
	for _, way := range ways {
		n := slices.Index(h, way.column)
		if width <= 0 || widthOf(h, r) <= width {
			break
		}
		if n < 0 {
			continue
		}
		if way.cell == nil {
			out, h = append(out, way.column), slices.Delete(h, n, n+1)
		} else {
			h[n] = way.as
		}
		for i := range r {
			if way.cell == nil {
				r[i] = slices.Delete(r[i], n, n+1)
			} else {
				r[i][n] = way.cell(i)
			}
		}
	}
	return h, r, out
}

// widthOf is how wide a table is printed. What colours a cell takes no room.
func widthOf(header []string, rows [][]string) int {
	total := 0
	for n, name := range header {
		widest := text.StringWidthWithoutEscSequences(name)
		for _, r := range rows {
			widest = max(widest, text.StringWidthWithoutEscSequences(r[n]))
		}
		total += widest + columnGap
	}
	return total - columnGap
}

// fitted prints a table as the terminal has room for it, and says what it has not.
func (p *printer) fitted(header []string, rows [][]string, ways []narrower) (leftOut string) {
	header, rows, out := fit(p.width, header, rows, ways)
	p.rows(header, rows)
	return strings.ToLower(strings.Join(out, ", "))
}
