package bench

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chef-sync/chef-sync/internal/chefserver"
	"github.com/chef-sync/chef-sync/internal/report"
	"github.com/chef-sync/chef-sync/tests/harness"
	"github.com/chef-sync/chef-sync/workflows"
)

// BenchmarkLarge copies a large organization and one of a tenth of its size, each
// with an ec-syncd of its own, and verifies them when they are equal: what memory
// and requests have to do with the size. See [largeScale].
func BenchmarkLarge(b *testing.B) {
	by := largeScale(b)
	var tenth, full largeRun
	b.Run("tenth", func(b *testing.B) { tenth = runLarge(b, whole.times(by/10)) })
	b.Run("whole", func(b *testing.B) { full = runLarge(b, whole.times(by)) })
	if tenth.copied.wall == 0 || full.copied.wall == 0 {
		b.Fatal("not completed")
	}
	printLarge(tenth, full)
}

// largeRun is what one organization cost.
type largeRun struct {
	of                             large
	copied, verified, bare, looked result // looked: what bare needs to compare
	memory                         []memoryAt
	routes                         [2]map[string]int // of the verification, primary and replica
}

// memoryAt is what ec-syncd held at a moment, in bytes.
type memoryAt struct {
	what      string
	now, peak int64
}

// runLarge does everything with one organization.
func runLarge(t testing.TB, of large) largeRun {
	t.Helper()
	r := largeRun{of: of}
	p := harness.Chef(t, chefserver.Options{})
	of.load(t, p)
	w := &world{api: "2", primary: p.Side()}
	fresh := func() *replica {
		s := harness.Chef(t, chefserver.Options{})
		return &replica{
			side: s.Side(), diff: func(t testing.TB) []string { t.Helper(); return harness.Diff(t, p, s) },
			reset:    func() { p.ResetStats(); s.ResetStats() },
			requests: func() int { return p.Stats().Total + s.Stats().Total },
		}
	}
	r.bare = bare(t, w, fresh())
	to := harness.Chef(t, chefserver.Options{})
	d := newPair(t, p.Side(), to.Side(), "")
	both := func() int { return p.Stats().Total + to.Stats().Total }
	r.note(t, d, "at the start")
	p.ResetStats()
	r.copied = timed(t, d, func() {
		d.start()
		for _, percent := range []int{10, 50} {
			d.until("so much is copied", 50*time.Millisecond, func() bool {
				head, err := to.FeedHead(harness.Organization)
				if err != nil {
					t.Fatal(err)
				}
				return head*100 >= int64(of.objects()*percent)
			})
			r.note(t, d, fmt.Sprintf("copied %d %%", percent))
		}
		d.following(1)
	})
	r.copied.requests = both()
	r.note(t, d, "copied")
	time.Sleep(10 * time.Second)
	r.note(t, d, "idle, 10 s later")
	harness.CheckInSync(t, p, to)
	d.signal(workflows.SignalStop) // or the feed's polls would count as the verification's
	d.until("the pair has stopped", 50*time.Millisecond, func() bool { return d.status().Mode == workflows.ModeStopped })
	time.Sleep(5 * time.Second) // until the poll under way hears of it
	r.verify(t, d, p, to)
	r.looked = bareWith(t, w, to.Side(), "-verify")
	return r
}

// timed measures an ec-syncd while it does something.
func timed(t testing.TB, d *pair, do func()) result {
	t.Helper()
	cpu, start := d.CPU(t), time.Now()
	do()
	return result{wall: time.Since(start), cpu: d.CPU(t) - cpu}
}

func (r *largeRun) note(t testing.TB, d *pair, what string) {
	t.Helper()
	now, peak := d.Memory(t)
	r.memory = append(r.memory, memoryAt{what, now, peak})
}

// verify verifies two equal organizations.
func (r *largeRun) verify(t testing.TB, d *pair, p, to *harness.ChefServer) {
	t.Helper()
	p.ResetStats()
	to.ResetStats()
	d.ForgetPeak()
	var got report.Report
	r.verified = timed(t, d, func() {
		run, err := d.temporal.ExecuteWorkflow(t.Context(), workflows.VerifyStartOptions(thePair), workflows.VerifyName, workflows.VerifyInput{Pair: thePair})
		if err == nil {
			err = run.Get(t.Context(), &got)
		}
		if err != nil {
			t.Fatalf("verify: %v", err)
		}
	})
	r.note(t, d, "verified")
	if got.Verdict != report.Equal {
		t.Errorf("verify says %q of equal organizations (%s)", got.Verdict, got.Problem)
	}
	a, b := p.Stats(), to.Stats()
	if n := a.WriteTotal() + b.WriteTotal() + len(b.Uploads); n > 0 {
		t.Errorf("verify wrote %d objects", n)
	}
	for i, s := range []chefserver.Stats{a, b} {
		r.routes[i] = s.Requests
		r.verified.requests += s.Total
		for route := range s.Requests {
			if !strings.HasPrefix(route, "GET ") {
				t.Errorf("verify asked %s", route)
			}
		}
		for file, n := range s.Downloads {
			if n > 1 {
				t.Errorf("verify read the file %s %d times", file, n)
			}
		}
	}
}

// printLarge prints the tables.
func printLarge(tenth, full largeRun) {
	t := &table{}
	t.row("", "wall", "client CPU", "requests", "per object", "speed, ours/bare")
	for _, r := range []largeRun{tenth, full} {
		n := float64(r.of.objects())
		for _, x := range []struct {
			what       string
			ours, bare result
		}{{"copy", r.copied, r.bare}, {"verify", r.verified, r.looked}} {
			t.row(fmt.Sprintf("%s %d objects, ec-syncd", x.what, r.of.objects()), x.ours.wall, x.ours.cpu,
				x.ours.requests, float64(x.ours.requests)/n, float64(x.bare.wall)/float64(x.ours.wall))
			t.row("    bare loop", x.bare.wall, x.bare.cpu, x.bare.requests, float64(x.bare.requests)/n)
		}
	}
	t.print(fmt.Sprintf("large organizations, in-process Chef servers, %d at a time\n%s", *parallel, full.of))
	t = &table{}
	t.row("MB of ec-syncd", "a tenth", "peak", "whole", "peak", "whole/tenth", "peak")
	for i, m := range full.memory {
		s := tenth.memory[i]
		t.row(m.what, s.now>>20, s.peak>>20, m.now>>20, m.peak>>20, float64(m.now)/float64(s.now), float64(m.peak)/float64(s.peak))
	}
	t.print("memory")
	t = &table{}
	t.row("requests of the verification", "primary", "replica")
	for _, route := range slices.Sorted(maps.Keys(full.routes[0])) {
		t.row(route, full.routes[0][route], full.routes[1][route])
	}
	t.print("whole")
}
