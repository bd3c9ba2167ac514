package bench

import (
	"strings"
	"testing"

	"github.com/chef-sync/chef-sync/internal/chef"
	"github.com/chef-sync/chef-sync/internal/chefserver"
	"github.com/chef-sync/chef-sync/tests/harness"
)

// A world makes replicas for one primary, whose content does not change.
type world struct {
	name    string
	api     string // the API version that bare has to speak
	primary harness.Side
	replica func(testing.TB) *replica
}

// A replica is a fresh, empty server.
type replica struct {
	side harness.Side

	// reset begins to count requests, and requests returns how many both servers
	// got since. Both are nil where they cannot be counted.
	reset    func()
	requests func() int

	// diff returns how the replica differs from the primary, asked past whoever
	// wrote it.
	diff func(testing.TB) []string
}

// check fails the test if the replica is not equal to the primary.
func (r *replica) check(t testing.TB) {
	t.Helper()
	if diff := r.diff(t); len(diff) > 0 {
		t.Fatalf("the replica differs in %d objects:\n%s", len(diff), strings.Join(diff[:min(len(diff), 5)], "\n"))
	}
}

// inProcess is a pair of Chef servers within this process.
func inProcess(t testing.TB, s size) *world {
	t.Helper()
	p := harness.Chef(t, chefserver.Options{})
	s.load(t, p.Client)
	return &world{name: "in-process Chef servers", api: "2", primary: p.Side(), replica: func(t testing.TB) *replica {
		t.Helper()
		r := harness.Chef(t, chefserver.Options{})
		return &replica{
			side:     r.Side(),
			reset:    func() { p.ResetStats(); r.ResetStats() },
			requests: func() int { return p.Stats().Total + r.Stats().Total },
			diff:     func(t testing.TB) []string { t.Helper(); return harness.Diff(t, p, r) },
		}
	}}
}

// goiardis are two goiardis on PostgreSQL.
func goiardis(t testing.TB, s size) *world {
	t.Helper()
	p, client := goiardi(t)
	s.load(t, client)
	var want map[string]string // read once
	return &world{name: "two goiardis on PostgreSQL", api: "1", primary: p.Side(), replica: func(t testing.TB) *replica {
		t.Helper()
		r, rc := goiardi(t)
		return &replica{side: r.Side(), diff: func(t testing.TB) []string {
			t.Helper()
			if want == nil {
				want = harness.Dump(t, client)
			}
			return harness.DiffDumps(want, harness.Dump(t, rc))
		}}
	}}
}

func goiardi(t testing.TB) (*harness.GoiardiServer, *chef.Client) {
	t.Helper()
	g := harness.Goiardi(t)
	return g, harness.NewClient(t, g.URL, "", g.User, g.KeyFile)
}
