package bench

import (
	"fmt"
	"testing"
	"time"

	"github.com/chef-sync/chef-sync/internal/chefserver"
	"github.com/chef-sync/chef-sync/tests/harness"
)

// BenchmarkScale measures one ec-syncd, its Temporal server included, with very many
// pairs: what they cost while nothing changes, and what it costs when some change at
// once, next to a bare loop that reads and writes the same.
func BenchmarkScale(b *testing.B) {
	s := scale{pairs: []int{100, 500, 2000}, bursts: []int{20, 200}, idle: time.Minute, settle: 90 * time.Second}
	if *quick {
		s = smallScale
	}
	t := s.table()
	for _, n := range s.pairs {
		b.Run(fmt.Sprint(n), func(b *testing.B) { t.add(newCrowd(b, n).measure(s)) })
	}
	t.print()
}

// scale is the size of a measurement.
type scale struct {
	pairs  []int // one ec-syncd for each
	bursts []int // how many pairs change at once, one after the other

	idle   time.Duration // how long idleness is watched
	settle time.Duration // what goes before: attempts that the start has bunched up spread out
}

// smallScale is for tests.
var smallScale = scale{pairs: []int{30}, bursts: []int{3, 10}, idle: 5 * time.Second, settle: 3 * time.Second}

// newCrowd starts an ec-syncd with n pairs and waits until all of them follow.
func newCrowd(t testing.TB, n int) *crowd {
	t.Helper()
	c := &crowd{
		t:       t,
		primary: harness.Chef(t, chefserver.Options{Feed: true, GenerateKey: harness.OneKey()}),
		replica: harness.Chef(t, chefserver.Options{Feed: true, GenerateKey: harness.OneKey()}),
	}
	c.organizations = c.primary.Organizations(t, n)
	c.replica.Organizations(t, n)
	for _, org := range c.organizations {
		c.change(org, "POST", "/roles")
	}
	c.Syncd = harness.PrepareSyncd(t)
	c.Syncd.Organizations = c.organizations
	c.Configure(t, c.primary.Side(), c.replica.Side(), "poll_interval 5\n")
	c.Start(t)
	c.temporal = c.Temporal(t)
	cpu, began := c.CPU(t), time.Now()
	c.until("all pairs are started", func() bool { // a slow machine needs more than one try
		_, _, code := c.Ctl(t, "sync-start", "--all")
		return code == 0
	})
	c.started.command = time.Since(began)
	c.until(fmt.Sprintf("%d pairs follow", n), func() bool { return c.following() == int64(n) })
	c.started.wall, c.started.cpu = time.Since(began), c.CPU(t)-cpu
	c.check(c.organizations)
	return c
}

// measure watches idleness, and then bursts.
func (c *crowd) measure(s scale) figures {
	c.t.Helper()
	time.Sleep(s.settle)
	out := figures{pairs: len(c.organizations), started: c.started, idle: c.idle(s.idle)}
	for _, n := range s.bursts {
		out.bursts = append(out.bursts, c.burst(c.organizations[:min(n, len(c.organizations))]))
	}
	out.bare = c.bareLoop(c.organizations[:out.bursts[len(out.bursts)-1].pairs])
	return out
}

// TestScale lets some pairs idle and change: whether it is right, not what it costs.
func TestScale(t *testing.T) {
	if testing.Short() {
		t.Skip("starts ec-syncd")
	}
	got := newCrowd(t, smallScale.pairs[0]).measure(smallScale)
	if got.idle.events != 0 {
		t.Errorf("%d idle pairs have added %d history events", got.pairs, got.idle.events)
	}
	if got.idle.requests == 0 {
		t.Error("nobody asked for changes")
	}
}
