package bench

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/chef-sync/chef-sync/internal/chef"
	"github.com/chef-sync/chef-sync/internal/chefserver"
	"github.com/chef-sync/chef-sync/tests/harness"
	"github.com/chef-sync/chef-sync/workflows"
)

// BenchmarkFollow measures a pair that has copied everything: what waiting costs,
// what changes cost, and how soon they arrive. The primary has a change feed.
func BenchmarkFollow(b *testing.B) {
	s := chosen()
	s.roles *= 2
	idle, singles := 30*time.Second, 100
	if *quick {
		idle, singles = 3*time.Second, 5
	}
	f := newFollower(b, s)
	t := &table{}
	f.again(t, s)
	f.burst(t, s.roles)
	for _, hold := range []string{"poll_hold 0", "poll_hold 60"} {
		f.restart(hold)
		how := "poll_interval 1, " + hold
		f.idle(t, how, idle)
		f.latency(t, how, singles)
		f.restart(hold)
		t.row("first change after a restart, "+how, "wall", f.single(0))
	}
	f.check()
	t.print(fmt.Sprintf("a pair of in-process Chef servers with a change feed\n%s", s))
}

// follower is a pair under way.
type follower struct {
	*pair
	primary, replica *harness.ChefServer
	value            int // of the role that was written last

	rows *harness.Mirror // the primary's, if it has a database
}

// newFollower copies everything first.
func newFollower(t testing.TB, s size) *follower {
	t.Helper()
	f := &follower{
		primary: harness.Chef(t, chefserver.Options{Feed: true}),
		replica: harness.Chef(t, chefserver.Options{Feed: true}), // so that arrivals are seen at once
	}
	s.load(t, f.primary.Client)
	f.pair = newPair(t, f.primary.Side(), f.replica.Side(), "")
	f.start()
	f.following(1)
	return f
}

// restart ends ec-syncd in good order and starts it, perhaps with another setting.
func (f *follower) restart(setting string) {
	f.t.Helper()
	f.Stop()
	f.Configure(f.t, f.primary.Side(), f.replica.Side(), settings(setting+"\n"))
	f.Start(f.t)
	f.awake()
	f.following(2)
}

func (f *follower) requests() int { return f.primary.Stats().Total + f.replica.Stats().Total }

// again compares everything a second time; nothing has changed.
func (f *follower) again(t *table, s size) {
	f.t.Helper()
	f.primary.ResetStats()
	f.replica.ResetStats()
	cpu, start := f.CPU(f.t), time.Now()
	f.signal(workflows.SignalForgetCursor)
	f.following(2)
	took, n := time.Since(start), f.requests()
	if writes := f.replica.Stats().WriteTotal(); writes > 0 {
		f.t.Errorf("a second comparison wrote %d objects that were equal", writes)
	}
	t.row("full comparison, nothing changed", "wall", took)
	t.row("", "client CPU", f.CPU(f.t)-cpu)
	t.row("", "requests", n)
	t.row("", "requests per object", float64(n)/float64(s.objects()))
}

// burst changes all roles while the pair is stopped, and lets it go.
func (f *follower) burst(t *table, n int) {
	f.t.Helper()
	f.signal(workflows.SignalStop)
	f.until("the pair has stopped", 50*time.Millisecond, func() bool { return f.status().Mode == workflows.ModeStopped })
	f.value++
	g, ctx := errgroup.WithContext(f.t.Context())
	g.SetLimit(chef.DefaultParallel)
	for i := range n {
		g.Go(func() error { return f.primary.Client.UpdateRole(ctx, roleName(i), role(i, f.value)) })
	}
	if err := g.Wait(); err != nil {
		f.t.Fatal(err)
	}
	was, events := f.status().Counters.Updated, f.events()
	start := time.Now()
	f.signal(workflows.SignalStart)
	f.until("the changes are on the replica", 50*time.Millisecond, func() bool { return f.status().Counters.Updated >= was+int64(n) })
	took := time.Since(start)
	f.check()
	t.row(fmt.Sprintf("%d updates in one go", n), "wall", took)
	t.row("", "history events per 1,000", float64(f.events()-events)/float64(n)*1000)
}

// idle lets the pair wait for changes that do not come.
func (f *follower) idle(t *table, how string, d time.Duration) {
	f.t.Helper()
	time.Sleep(3 * time.Second) // until the last change has settled
	events, requests, cpu := f.events(), f.requests(), f.CPU(f.t)
	time.Sleep(d)
	hour := float64(time.Hour) / float64(d)
	t.row("an idle hour, "+how, "history events", float64(f.events()-events)*hour)
	t.row("", "requests", float64(f.requests()-requests)*hour)
	t.row("", "client CPU", time.Duration(float64(f.CPU(f.t)-cpu)*hour).Round(time.Second))
}

// latency changes single roles on the primary at odd moments, and waits for each
// on the replica.
func (f *follower) latency(t *table, how string, n int) {
	f.t.Helper()
	events := f.events()
	var took []time.Duration
	for i := range n {
		time.Sleep(rand.N(time.Second))
		took = append(took, f.single(i))
	}
	t.row(fmt.Sprintf("%d single changes, %s", n, how), "p50", median(took))
	t.row("", "p99", quantile(took, 0.99))
	t.row("", "history events each", float64(f.events()-events)/float64(n))
}

// single changes one role and returns how long it took to the replica.
func (f *follower) single(i int) time.Duration {
	f.t.Helper()
	ctx := f.t.Context()
	seen, err := f.replica.Client.UpdatedSince(ctx, 0, chef.UpdatedSinceOptions{Limit: 1})
	if err != nil {
		f.t.Fatal(err)
	}
	f.value++
	body := role(i, f.value)
	if err := f.primary.Client.UpdateRole(ctx, roleName(i), body); err != nil {
		f.t.Fatal(err)
	}
	start := time.Now()
	if f.rows != nil {
		if err := f.rows.Sync(ctx); err != nil {
			f.t.Fatal(err)
		}
	}
	_, err = f.replica.Client.UpdatedSince(ctx, seen.Head, chef.UpdatedSinceOptions{Wait: time.Minute})
	took := time.Since(start)
	if err != nil {
		f.t.Fatal(err)
	}
	got, err := f.replica.Client.GetRole(ctx, roleName(i))
	if err != nil || valueOf(got) != f.value {
		f.t.Fatalf("%s on the replica has the value %d, error %v; want %d", roleName(i), valueOf(got), err, f.value)
	}
	return took
}

// valueOf returns the value that [role] was given.
func valueOf(body json.RawMessage) int {
	var r struct {
		Attributes struct{ Value int } `json:"default_attributes"`
	}
	if json.Unmarshal(body, &r) != nil {
		return -1
	}
	return r.Attributes.Value
}

func (f *follower) check() {
	f.t.Helper()
	harness.CheckInSync(f.t, f.primary, f.replica)
}
