package config

import "strings"

// nearest finds the setting whose name is most like path: as a whole, or, for a
// key that stands outside its group, by its last part.
func nearest(path []string, all [][]string) (string, bool) {
	name := joinPath(path)
	best, bestDistance := "", len(name)
	for _, candidate := range all {
		d := distance(name, joinPath(candidate))
		if len(path) == 1 && len(candidate) > 1 {
			// A tie goes to a setting at the top.
			d = min(d, 1+distance(name, candidate[len(candidate)-1]))
		}
		if len(path) == len(candidate) && related(path[len(path)-1], candidate[len(candidate)-1]) {
			d = min(d, 2)
		}
		if d < bestDistance {
			best, bestDistance = joinPath(candidate), d
		}
	}
	limit := max(2, len(path[len(path)-1])/3)
	return best, best != "" && bestDistance <= limit
}

// related reports whether one name begins with the other: master_url, master.
func related(a, b string) bool {
	return len(a) >= 4 && len(b) >= 4 && (strings.HasPrefix(a, b+"_") || strings.HasPrefix(b, a+"_"))
}

// distance is the number of single characters to insert, delete or replace on
// the way from a to b (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(row[j+1]+1, row[j]+1, diagonal+cost)
		}
	}
	return row[len(b)]
}
