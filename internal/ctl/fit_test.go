package ctl

import (
	"slices"
	"testing"

	"github.com/jedib0t/go-pretty/v6/text"
)

// TestFit: a table is given up piece by piece, no more than is needed, and what
// paints a cell takes no room.
func TestFit(t *testing.T) {
	header := []string{"ORG", "STATE", "FEED"}
	rows := [][]string{{"acme", "\x1b[31mwaiting for it\x1b[0m", "listing"}, {"ü", "ok", "x"}}
	ways := []narrower{
		{column: "STATE", as: "S", cell: func(i int) string { return []string{"w", "o"}[i] }},
		{column: "NONE"},
		{column: "FEED"},
	}
	for _, c := range []struct {
		room, width int // of the terminal, and of the table
		out         []string
	}{
		{0, 29, nil}, {100, 29, nil}, {29, 29, nil}, {28, 16, nil}, {16, 16, nil}, {15, 7, []string{"FEED"}}, {1, 7, []string{"FEED"}},
	} {
		h, r, out := fit(c.room, header, rows, ways)
		if got := widthOf(h, r); got != c.width || !slices.Equal(out, c.out) {
			t.Errorf("with room for %d: %d wide without %q, want %d without %q", c.room, got, out, c.width, c.out)
		}
	}
	if rows[0][2] != "listing" || text.StringWidthWithoutEscSequences(rows[0][1]) != 14 || header[1] != "STATE" {
		t.Errorf("what was given was changed: %q %q", header, rows)
	}
}
