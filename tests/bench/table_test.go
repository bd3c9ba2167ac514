package bench

import (
	"fmt"
	"os"
	"slices"
	"text/tabwriter"
	"time"
)

// median of an odd number of values is the middle one.
func median[T int | float64 | time.Duration](values []T) T { return quantile(values, 0.5) }

// quantile returns the value that a share of the values does not exceed.
func quantile[T int | float64 | time.Duration](values []T, share float64) T {
	s := slices.Sorted(slices.Values(values))
	return s[min(int(float64(len(s))*share), len(s)-1)]
}

// contest is what several rounds of both competitors gave.
type contest struct {
	world      string
	objects    int
	ours, bare []result
}

// pick returns one figure of each round.
func pick[T any](rounds []result, f func(result) T) []T {
	out := make([]T, len(rounds))
	for i, r := range rounds {
		out[i] = f(r)
	}
	return out
}

func wall(r result) time.Duration { return r.wall }
func cpu(r result) time.Duration  { return r.cpu }
func requests(r result) int       { return r.requests }

// table collects rows and prints them in columns.
type table struct{ rows [][]any }

func (t *table) row(cells ...any) { t.rows = append(t.rows, cells) }

// print writes the rows to the standard output, where make bench is read.
func (t *table) print(title string) {
	fmt.Fprintf(os.Stdout, "\n%s\n\n", title)
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	for _, row := range t.rows {
		for _, cell := range row {
			switch c := cell.(type) {
			case time.Duration:
				fmt.Fprintf(w, "  %s", round(c))
			case float64:
				fmt.Fprintf(w, "  %.2f", c)
			default:
				fmt.Fprintf(w, "  %v", c)
			}
			fmt.Fprint(w, "\t")
		}
		fmt.Fprintln(w)
	}
	if err := w.Flush(); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	fmt.Fprintln(os.Stdout)
}

func round(d time.Duration) time.Duration {
	if d < time.Second {
		return d.Round(time.Millisecond)
	}
	return d.Round(10 * time.Millisecond)
}

// print prints a contest.
func (c *contest) print(s size) {
	t := &table{}
	t.row("", "wall", "rounds", "client CPU", "requests", "per object")
	for _, side := range []struct {
		name   string
		rounds []result
	}{{"ec-syncd", c.ours}, {"bare loop", c.bare}} {
		walls := pick(side.rounds, wall)
		spread := fmt.Sprintf("%s-%s", round(slices.Min(walls)), round(slices.Max(walls)))
		n, each := any("not counted"), any("")
		if q := median(pick(side.rounds, requests)); q > 0 {
			n, each = q, float64(q)/float64(c.objects)
		}
		t.row(side.name, median(walls), spread, median(pick(side.rounds, cpu)), n, each)
	}
	speed := float64(median(pick(c.bare, wall))) / float64(median(pick(c.ours, wall)))
	t.row("speed, ours/bare", speed)
	t.print(fmt.Sprintf("%s, %d at a time, medians of %d rounds\n%s", c.world, *parallel, len(c.ours), s))
}
