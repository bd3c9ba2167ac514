package integration

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chef-sync/chef-sync/internal/chef"
	"github.com/chef-sync/chef-sync/internal/chefserver"
	"github.com/chef-sync/chef-sync/internal/demo/sample"
	"github.com/chef-sync/chef-sync/tests/harness"
)

// soakFor is how long everything goes wrong; CHEF_SYNC_SOAK is another duration.
const soakFor = 25 * time.Second

// soaking returns how long a soak lasts, and what its choices come from: CHEF_SYNC_SEED
// repeats those of another run, as far as timing allows.
func soaking(t *testing.T, last time.Duration) (time.Duration, uint64) {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	var err error
	if text := os.Getenv("CHEF_SYNC_SOAK"); text != "" {
		if last, err = time.ParseDuration(text); err != nil {
			t.Fatalf("CHEF_SYNC_SOAK: %v", err)
		}
	}
	if text := os.Getenv("CHEF_SYNC_SEED"); text != "" {
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatalf("CHEF_SYNC_SEED: %v", err)
		}
	}
	t.Logf("CHEF_SYNC_SEED=%d repeats the choices of this run", seed)
	return last, seed
}

// TestSoak changes the primary at random while both servers fail at random and
// ec-syncd is killed, stopped and started: when the failures end, both servers
// are equal without anybody's help. CHEF_SYNC_SOAK_FEED takes another feed.
func TestSoak(t *testing.T) {
	if testing.Short() {
		t.Skip("takes half a minute")
	}
	last, seed := soaking(t, soakFor)
	feed := cmp.Or(os.Getenv("CHEF_SYNC_SOAK_FEED"), "updated_since")
	// A listing takes frozen versions for what they were when it first saw them.
	forced := feed != "listing"
	d := newDuo(t, "deep_interval 0\nfeed '"+feed+"'\n")
	if err := sample.Load(t.Context(), d.primary.Client, func(int, int) {}); err != nil {
		t.Fatal(err)
	}
	d.start()

	ctx, cancel := context.WithTimeout(t.Context(), last)
	defer cancel()
	changes, faults := make(chan int, 1), make(chan int, 1)
	go func() { changes <- d.change(ctx, seed, forced) }()
	go func() { faults <- d.fail(ctx, seed+1) }()
	d.disturb(ctx, rand.New(rand.NewPCG(seed+2, 0)), last/4) //nolint:gosec // nothing is secret here
	t.Logf("%d changes, %d requests failed", <-changes, <-faults)

	d.resume()
	if feed == "listing" { // it may miss what changed and changed back: see feed.Listing
		d.settled(func(diff string) bool { return !strings.Contains(diff, "\n\tprimary") })
		d.signal("forget_cursor", nil)
	}
	d.settled(func(string) bool { return true })
	for side, s := range map[string]*harness.ChefServer{"primary": d.primary, "replica": d.replica} {
		if n := s.Stats().MaxSameUpload; n > 1 {
			t.Errorf("%s: %d uploads of one file at once; want one after the other", side, n)
		}
	}
}

// resume starts the pair, again if a stop was on its way: of two signals that
// wait for a worker side by side the stop counts.
func (d *duo) resume() {
	d.t.Helper()
	harness.Until(d.t, "the pair runs", func() bool {
		d.signal("start", nil)
		nap(d.t.Context(), 500*time.Millisecond)
		return d.syncd.Status(d.t)["state"] != "stopped"
	}, func() string { return fmt.Sprint(d.syncd.Status(d.t)) })
}

// settled waits until both servers are equal, but for differences that do not
// count, and nothing is left to be retried.
// An operator who is in a hurry asks for it; otherwise the back-off of an object
// that failed many times decides when.
func (d *duo) settled(counts func(diff string) bool) {
	d.t.Helper()
	var asked time.Time
	var diff []string
	var status harness.PairStatus
	// A worker that was killed with a batch is missed after 15 s, and may have been that twice.
	harness.Within(d.t, moves, "both servers equal and nothing unsynced", func() bool {
		if time.Since(asked) > 10*time.Second {
			d.syncd.MustCtl(d.t, "sync-now", harness.Organization)
			asked = time.Now()
		}
		diff, status = harness.Diff(d.t, d.primary, d.replica), d.syncd.Status(d.t)
		return !slices.ContainsFunc(diff, counts) && status["state"] == "following" && fmt.Sprint(status["unsynced"]) == "0"
	}, func() string {
		unsynced, _, _ := d.syncd.Ctl(d.t, "unsynced-objects", harness.Organization)
		return fmt.Sprintf("%d differences: %v\nstatus: %v\nunsynced: %s", len(diff), diff, status, unsynced)
	})
}

// change changes the primary until ctx ends, and returns how often. With forced,
// frozen versions are written over.
func (d *duo) change(ctx context.Context, seed uint64, forced bool) (n int) {
	for step := d.crowd(seed, forced); ctx.Err() == nil; n++ {
		nap(ctx, step(ctx))
	}
	return n
}

// crowd returns what makes one change and says how long it then rests. What fails
// may have happened or not: either is right.
func (d *duo) crowd(seed uint64, forced bool) (step func(context.Context) (rest time.Duration)) {
	rng := rand.New(rand.NewPCG(seed, 1)) //nolint:gosec // nothing is secret here
	people := sample.NewChurn(d.primary.Client, seed)
	return func(ctx context.Context) time.Duration {
		if rng.IntN(3) == 0 {
			_, _ = people.Step(ctx)
		} else {
			i := rng.IntN(len(turbulence) + 2)
			if i < len(turbulence) {
				turbulence[i](ctx, d.primary.Client, rng)
			} else {
				putSoakCookbook(ctx, d.primary.Client, rng, forced)
			}
		}
		return time.Duration(rng.IntN(60)) * time.Millisecond
	}
}

// turbulence is what a [sample.Churn] does not do: few names, so that objects
// come, go and come back between two polls.
var turbulence = []func(context.Context, *chef.Client, *rand.Rand){
	func(ctx context.Context, c *chef.Client, rng *rand.Rand) {
		name := fmt.Sprint("soak", rng.IntN(6))
		body := json.RawMessage(fmt.Sprintf(`{"name":%q,"json_class":"Chef::Role","chef_type":"role","description":"%d",
			"default_attributes":{},"override_attributes":{},"run_list":[],"env_run_lists":{}}`, name, rng.Int()))
		if chef.IsConflict(c.CreateRole(ctx, body)) {
			_ = c.UpdateRole(ctx, name, body)
		}
	},
	func(ctx context.Context, c *chef.Client, rng *rand.Rand) {
		_ = c.DeleteRole(ctx, fmt.Sprint("soak", rng.IntN(6)))
	},
	func(ctx context.Context, c *chef.Client, rng *rand.Rand) {
		bag, id := fmt.Sprint("soak", rng.IntN(3)), fmt.Sprint("item", rng.IntN(4))
		_ = c.CreateDataBag(ctx, bag)
		body := json.RawMessage(fmt.Sprintf(`{"id":%q,"n":%d}`, id, rng.Int()))
		if chef.IsConflict(c.CreateDataBagItem(ctx, bag, id, body)) {
			_ = c.UpdateDataBagItem(ctx, bag, id, body)
		}
	},
	func(ctx context.Context, c *chef.Client, rng *rand.Rand) {
		_ = c.DeleteDataBagItem(ctx, fmt.Sprint("soak", rng.IntN(3)), fmt.Sprint("item", rng.IntN(4)))
	},
	func(ctx context.Context, c *chef.Client, rng *rand.Rand) {
		_ = c.DeleteDataBag(ctx, fmt.Sprint("soak", rng.IntN(3)))
	},
	func(ctx context.Context, c *chef.Client, rng *rand.Rand) {
		_ = c.DeleteCookbook(ctx, "soak", fmt.Sprintf("%d.0.0", rng.IntN(5)))
	},
}

// putSoakCookbook writes a version; with forced, two of them are always frozen, and
// written over (no server thaws one, so they stay so). Contents are few, so that
// versions share files that come and go.
func putSoakCookbook(ctx context.Context, c *chef.Client, rng *rand.Rand, forced bool) {
	files := map[string]string{"recipes/default.rb": fmt.Sprint("log ", rng.IntN(8)), "README.md": "soak", "files/big": fmt.Sprint(rng.IntN(4), make([]byte, 9000))}
	major := rng.IntN(5)
	_ = harness.PutCookbook(ctx, c, "soak", fmt.Sprintf("%d.0.0", major), forced && major < 2, files, forced)
}

// fail makes both servers fail until ctx ends, and returns how many requests
// were hit.
func (d *duo) fail(ctx context.Context, seed uint64) (hits int) {
	rng := rand.New(rand.NewPCG(seed, 0)) //nolint:gosec // nothing is secret here
	files, all := harness.Path("^/bookshelf"), harness.Path("^/")
	effects := []chefserver.Fault{
		{Path: all, Effect: chefserver.CutBefore()}, {Path: all, Effect: chefserver.CutAfter()},
		{Path: all, Effect: chefserver.Status(500, `{"error":["internal service error"]}`)},
		{Path: all, Effect: chefserver.RetryAfter(503, 1)},
		{Path: all, Effect: chefserver.Delay(300 * time.Millisecond)}, {Path: all, Effect: chefserver.CutBody(20)},
		{Path: harness.Path("/(roles|data|cookbooks|environments)/"), Effect: chefserver.Forbidden("update"), Count: 1},
		{Path: files, Method: "GET", Effect: chefserver.HalfBody()}, {Path: files, Method: "GET", Effect: chefserver.CorruptBody()},
		{Path: files, Effect: chefserver.ExpiredURL()}, {Path: files, Method: "PUT", Effect: chefserver.WrongMD5()},
	}
	for ctx.Err() == nil {
		server := []*harness.ChefServer{d.primary, d.replica}[rng.IntN(2)]
		fault := effects[rng.IntN(len(effects))]
		fault.Skip, fault.Every = rng.IntN(4), 1+rng.IntN(3)
		if fault.Count == 0 {
			fault.Count = 1 + rng.IntN(8)
		}
		rule := server.Faults().Add(fault)
		nap(ctx, time.Duration(100+rng.IntN(400))*time.Millisecond)
		rule.Remove()
		hits += rule.Hits()
	}
	d.primary.Faults().Clear()
	d.replica.Faults().Clear()
	return hits
}

// disturb kills ec-syncd, stops and starts the pair, and sends what operators
// send, until ctx ends.
func (d *duo) disturb(ctx context.Context, rng *rand.Rand, killEvery time.Duration) {
	kill := time.Now().Add(killEvery)
	for ctx.Err() == nil {
		nap(ctx, time.Duration(300+rng.IntN(1500))*time.Millisecond)
		if time.Now().After(kill) {
			d.syncd.Kill()
			nap(ctx, time.Duration(rng.IntN(1000))*time.Millisecond)
			d.syncd.Start(d.t)
			kill = time.Now().Add(killEvery)
			continue
		}
		switch rng.IntN(3) {
		case 0:
			d.signal("stop", nil)
			nap(ctx, time.Duration(rng.IntN(1500))*time.Millisecond)
			d.signal("start", nil)
		case 1:
			d.signal("sync_now", nil)
		}
	}
}

func nap(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
