package bench

import (
	"flag"
	"fmt"
	"testing"
)

var (
	quick    = flag.Bool("quick", false, "take a small size")
	rounds   = flag.Int("rounds", 3, "how often each competitor copies everything")
	parallel = flag.Int("parallel", 8, "requests at a time to one server, 1 to 8")
)

// chosen is the size that the flags ask for.
func chosen() size {
	if *quick {
		return small
	}
	return full
}

// BenchmarkCopy lets ec-syncd and the bare loop copy an organization by turns.
func BenchmarkCopy(b *testing.B) {
	s := chosen()
	b.Run("chefserver", func(b *testing.B) { compete(b, inProcess(b, s), s) })
	b.Run("goiardi", func(b *testing.B) { compete(b, goiardis(b, s), s) })
}

// compete runs the rounds and prints the table. A sub-benchmark per copy ends the
// servers that it started.
func compete(b *testing.B, w *world, s size) {
	c := &contest{world: w.name, objects: s.objects()}
	for i := range *rounds {
		b.Run(fmt.Sprintf("ours/%d", i+1), func(b *testing.B) { c.ours = append(c.ours, reported(b, ours(b, w, w.replica(b)))) })
		b.Run(fmt.Sprintf("bare/%d", i+1), func(b *testing.B) { c.bare = append(c.bare, reported(b, bare(b, w, w.replica(b)))) })
	}
	if len(c.ours) == 0 || len(c.bare) == 0 {
		b.Fatal("no round was completed")
	}
	c.print(s)
}

// reported makes the result that of the benchmark.
func reported(b *testing.B, r result) result {
	b.Helper()
	b.ReportMetric(float64(r.wall), "ns/op")
	b.ReportMetric(r.cpu.Seconds(), "cpu-s/op")
	if r.requests > 0 {
		b.ReportMetric(float64(r.requests), "requests/op")
	}
	return r
}
