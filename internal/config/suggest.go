package config

import (
	"cmp"
	"slices"
)

// Nearest returns those of names that somebody who wrote name may have meant, the
// most likely first; at most three, and none if nothing is like it.
func Nearest(name string, names []string) []string {
	type near struct {
		name     string
		distance int
	}
	var found []near
	limit := max(2, len(name)/3)
	for _, n := range names {
		d := distance(name, n)
		if d <= limit || related(name, n) {
			found = append(found, near{n, d})
		}
	}
	slices.SortStableFunc(found, func(a, b near) int { return cmp.Compare(a.distance, b.distance) })
	var out []string
	for _, f := range found[:min(3, len(found))] {
		out = append(out, f.name)
	}
	return out
}
