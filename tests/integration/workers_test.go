package integration

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"

	"github.com/chef-sync/chef-sync/internal/chefserver"
	"github.com/chef-sync/chef-sync/internal/object"
	"github.com/chef-sync/chef-sync/internal/version"
	"github.com/chef-sync/chef-sync/tests/harness"
	"github.com/chef-sync/chef-sync/workflows"
)

// crew is several ec-syncd that work for one replica on one Temporal. Its syncd is
// none of them: that one is only there to ask.
type crew struct {
	*duo
	temporal *harness.Syncd
	wire     *harness.Wire
	settings string
	workers  []*harness.Syncd
}

// newCrew starts so many workers, each with a directory of its own, and the pair.
func newCrew(t *testing.T, workers int, settings string) *crew {
	t.Helper()
	if testing.Short() {
		t.Skip("starts several ec-syncd and a Temporal server")
	}
	d := &duo{t: t, primary: harness.Chef(t, chefserver.Options{Feed: true}), replica: harness.Chef(t, chefserver.Options{ConcurrentUploadFails: true})}
	d.write = harness.Write(t, d.primary.Client)
	c := &crew{duo: d, temporal: harness.PrepareSyncd(t), settings: "poll_interval 1\n" + settings}
	c.temporal.Configure(t, d.primary.Side(), d.replica.Side(), "name 'nobody'\n") // has no pair, and stands for a cluster
	c.temporal.Start(t)
	c.wire = harness.NewWire(t, fmt.Sprintf("127.0.0.1:%d", c.temporal.Port))
	for range workers {
		c.join()
	}
	d.syncd = c.workers[0]
	return c
}

// join starts another worker.
func (c *crew) join() {
	c.t.Helper()
	c.workers = append(c.workers, harness.NewWorker(c.t, c.temporal, c.wire, c.primary.Side(), c.replica.Side(), c.settings))
}

// within waits for both servers to be equal, in the objects below some paths if there
// are any, for longer than other tests do, and returns how long that took.
func (c *crew) within(limit time.Duration, when string, paths ...string) time.Duration {
	c.t.Helper()
	begin := time.Now()
	for {
		diff := slices.DeleteFunc(harness.Diff(c.t, c.primary, c.replica), func(line string) bool {
			return len(paths) > 0 && !slices.ContainsFunc(paths, func(p string) bool { return strings.HasPrefix(line, p) })
		})
		took := time.Since(begin)
		if len(diff) == 0 {
			return took
		}
		if took > limit {
			c.t.Fatalf("%s: after %s %d differences, the first: %v\nstatus: %v", when, limit, len(diff), diff[0], c.syncd.Status(c.t))
		}
		nap(c.t.Context(), 200*time.Millisecond)
	}
}

// surveys is how many full comparisons there were.
func (c *crew) surveys() any {
	counters, _ := c.syncd.Status(c.t)["counters"].(map[string]any)
	return counters["surveys"]
}

// clean fails the test if a worker met a history or state that it could not go on
// with, or has said a word that nobody may know.
func (c *crew) clean(secrets ...string) {
	c.t.Helper()
	for i, w := range c.workers {
		log := w.Log(c.t)
		for _, bad := range append([]string{"TMPRL1100", "nondetermin", "Workflow panic", "panic:"}, secrets...) {
			if strings.Contains(log, bad) {
				c.t.Errorf("worker %d has logged %q", i, bad)
			}
		}
	}
}

// moves is how long work may take to go to another worker: the time that a host may
// be away, and what a busy machine needs.
const moves = 2*time.Minute + 2*time.Minute

// TestSeveralWorkers kills any of three workers at random while the primary changes,
// and one of them for good. Each has its own staging directory, on one host. The
// listing feed's place is in one of these, so that what the primary deleted while that
// one was away is found by the full comparison that follows: as extras.
func TestSeveralWorkers(t *testing.T) {
	t.Parallel()
	for feed, settings := range map[string]string{"updated_since": "", "listing": "extras 'delete'\ndelete_limit['objects'] = 1_000\n"} {
		t.Run(feed, func(t *testing.T) {
			c := newCrew(t, 3, "deep_interval 0\nfeed '"+feed+"'\n"+settings)
			c.write.Small()
			c.start()
			c.within(moves, "bootstrap")
			for i := range 6 { // polls of which each could meet another worker
				c.write.Role(fmt.Sprint("calm", i), "1")
				c.within(moves, "in peace")
			}
			if n := c.surveys(); n != 1.0 {
				t.Errorf("%v full comparisons in peace; want one", n)
			}

			seed := uint64(time.Now().UnixNano())
			t.Logf("seed %d", seed)
			rng := rand.New(rand.NewPCG(seed, 3)) //nolint:gosec // nothing is secret here
			ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second)
			defer cancel()
			changes := make(chan int, 1)
			go func() { changes <- c.change(ctx, seed, false) }()
			kills := 0
			for ; ctx.Err() == nil; kills++ {
				w := c.workers[rng.IntN(len(c.workers))]
				w.Kill()
				nap(ctx, time.Duration(rng.IntN(1500))*time.Millisecond)
				w.Start(t)
				nap(ctx, time.Duration(rng.IntN(1500))*time.Millisecond)
			}
			n := <-changes
			lost := c.workers[0]
			lost.Kill()
			c.syncd = c.workers[1]
			c.write.Role("after", "1")
			c.write.Do("DELETE", "roles/calm0", "")
			took := c.within(moves, "one worker is gone for good", "/roles/after", "/roles/calm")
			if feed == "listing" { // it may miss what changed and changed back meanwhile: see feed.Listing
				c.signal("forget_cursor", nil)
			}
			took += c.within(moves, "the rest")
			t.Logf("%d changes, %d kills; equal %s after the last worker was lost", n, kills, took.Round(time.Second/10))
			c.clean()
		})
	}
}

// bucket starts an S3 server and returns the URL of an empty staging store there,
// and what lists its keys.
func bucket(t *testing.T) (url string, keys func() []string) {
	t.Helper()
	backend := s3mem.New()
	if err := backend.CreateBucket("staging"); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(gofakes3.New(backend).Server())
	t.Cleanup(server.Close)
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIAOFATEST")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "the-secret-of-a-test")
	url = "s3://staging?region=eu-central-1&use_path_style=true&prefix=chef-sync/&endpoint=" + server.URL
	return url, func() (out []string) {
		list, err := backend.ListBucket("staging", &gofakes3.Prefix{}, gofakes3.ListBucketPage{})
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range list.Contents {
			out = append(out, o.Key)
		}
		return out
	}
}

// TestSharedStaging kills a worker between Fetch and Apply. Another one applies what
// the first has staged: nothing is read from the primary again, and nobody waits for
// the first to come back.
func TestSharedStaging(t *testing.T) {
	url, keys := bucket(t)
	c := newCrew(t, 1, "staging '"+url+"'\n")
	c.write.Small()
	c.start()
	c.within(moves, "bootstrap")

	c.primary.ResetStats()
	refused := c.replica.Faults().Add(chefserver.Fault{Path: harness.Path("/(roles|cookbooks)"), Method: "POST", Effect: chefserver.Status(503, `{}`)})
	c.write.Role("staged", "1")
	batch := func(key string) bool {
		return strings.HasPrefix(key, "chef-sync/batches/") && strings.HasSuffix(key, ".items")
	}
	harness.Until(t, "a batch is staged and Apply under way", func() bool {
		return slices.ContainsFunc(keys(), batch) && refused.Hits() > 0
	}, func() string { return fmt.Sprint(keys()) })
	c.workers[0].Kill()
	c.join()
	c.syncd = c.workers[1]
	refused.Remove()
	took := c.within(time.Minute, "the other worker applies what was staged")
	t.Logf("equal %s after the worker was lost", took.Round(time.Second/10))
	read := 0
	for route, n := range c.primary.Stats().Requests {
		if strings.HasPrefix(route, "GET ") && strings.HasSuffix(route, "/roles/NAME") {
			read += n
		}
	}
	if read != 1 {
		t.Errorf("the role was read %d times from the primary; want once: %v", read, c.primary.Stats().Requests)
	}
	c.clean("the-secret-of-a-test", "AKIAOFATEST")
	harness.Until(t, "the batch is gone", func() bool { return !slices.ContainsFunc(keys(), batch) }, func() string { return fmt.Sprint(keys()) })
}

// TestRollingUpgrade has a newer ec-syncd join an older one, and the older one leave,
// and then the other way about, while the primary changes. No pair notices.
func TestRollingUpgrade(t *testing.T) {
	t.Parallel()
	c := newCrew(t, 1, "")
	c.write.Small()
	c.start()
	c.within(moves, "bootstrap")

	const newer = "99.1.2"
	binary := harness.BuildBinary(t, "./worker", "-ldflags", "-X github.com/chef-sync/chef-sync/internal/version.Version="+newer)
	ctx, cancel := context.WithCancel(t.Context())
	changes := make(chan int, 1)
	go func() { changes <- c.change(ctx, 1, false) }()
	upgraded := harness.PrepareWorker(t, c.temporal, c.wire, c.primary.Side(), c.replica.Side(), c.settings)
	upgraded.Binary = binary
	upgraded.Start(t)
	c.workers = append(c.workers, upgraded)
	harness.Until(t, "the newer one works, too", func() bool { return c.polls(newer) }, func() string { return upgraded.Log(t) })
	nap(ctx, 3*time.Second)
	c.workers[0].Stop()
	c.syncd = upgraded
	nap(ctx, 3*time.Second)
	c.is("state", "following")
	c.workers[0].Start(t) // and back
	nap(ctx, 2*time.Second)
	upgraded.Stop()
	c.syncd = c.workers[0]
	nap(ctx, 2*time.Second)
	cancel()
	n := <-changes
	c.within(moves, "after two moves") // what one has staged when it leaves, another reads again
	c.settled(func(string) bool { return true })
	if s := c.surveys(); s != 1.0 {
		t.Errorf("%v full comparisons; want the one of the beginning", s)
	}
	c.clean()
	t.Logf("%d changes while workers of two versions came and went", n)
}

// polls reports whether a worker of a version asks for work.
func (c *crew) polls(version string) bool {
	c.t.Helper()
	got, err := c.temporal.Temporal(c.t).DescribeTaskQueue(c.t.Context(), workflows.TaskQueue("sync"), enums.TASK_QUEUE_TYPE_WORKFLOW)
	if err != nil {
		c.t.Fatal(err)
	}
	for _, p := range got.GetPollers() {
		if strings.Contains(p.GetIdentity(), version) {
			return true
		}
	}
	return false
}

// TestWorkerDeployment has pairs go to a newer ec-syncd when its version is made the
// current one, and not before.
func TestWorkerDeployment(t *testing.T) {
	t.Parallel()
	c := newCrew(t, 1, "temporal['deployment'] = 'chef'\n")
	c.write.Small()
	deployment := c.temporal.Temporal(t).WorkerDeploymentClient().GetHandle("chef")
	current := func(build string) {
		t.Helper()
		var err error
		harness.Until(t, build+" is the current version", func() bool {
			_, err = deployment.SetCurrentVersion(t.Context(), client.WorkerDeploymentSetCurrentVersionOptions{BuildID: build})
			return err == nil
		}, func() string { return fmt.Sprint(err) })
	}
	harness.Until(t, "somebody is told that nothing will run", func() bool {
		return strings.Contains(c.workers[0].Log(t), "set-current-version --deployment-name chef --build-id")
	}, func() string { return c.workers[0].Log(t) })
	const newer = "99.1.3"
	binary := harness.BuildBinary(t, "./worker", "-ldflags", "-X github.com/chef-sync/chef-sync/internal/version.Version="+newer)
	current(version.Development)
	c.start()
	c.within(moves, "bootstrap")

	upgraded := harness.PrepareWorker(t, c.temporal, c.wire, c.primary.Side(), c.replica.Side(), c.settings)
	upgraded.Binary = binary
	upgraded.Start(t)
	c.workers = append(c.workers, upgraded)
	c.write.Role("both", "1")
	c.within(moves, "before the newer version is the current one")
	current(newer)
	c.write.Role("newer", "1")
	c.within(moves, "afterwards")
	c.workers[0].Kill()
	c.syncd = upgraded
	c.write.Role("alone", "1")
	c.within(moves, "without the older one")
	c.clean()
}

// TestDowngradeLeavesNewerStateAlone: an ec-syncd that is given a state of a newer
// format says so, does nothing, and leaves it to one that knows it.
func TestDowngradeLeavesNewerStateAlone(t *testing.T) {
	t.Parallel()
	c := newCrew(t, 1, "")
	c.write.Small()
	pair := object.Pair{Replica: "sync", Source: harness.Organization, Destination: harness.Organization}
	asked := c.temporal.Temporal(t)
	run, err := asked.ExecuteWorkflow(t.Context(), workflows.StartOptions(pair, false), workflows.Name,
		workflows.SyncInput{Pair: pair, State: workflows.State{Format: workflows.StateFormat + 1}})
	if err != nil {
		t.Fatal(err)
	}
	harness.Until(t, "status says why", func() bool {
		return strings.Contains(fmt.Sprint(c.syncd.Status(t)["reason"]), workflows.NewerState)
	}, func() string { return fmt.Sprint(c.syncd.Status(t)) })
	table, _, code := c.syncd.Ctl(t, "sync-status")
	if !strings.Contains(table, "upgrade") || code == 0 {
		t.Errorf("exit code %d, and it says:\n%s", code, table)
	}
	it := asked.GetWorkflowHistory(t.Context(), run.GetID(), "", false, enums.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for it.HasNext() {
		e, err := it.Next()
		if err != nil {
			t.Fatal(err)
		}
		switch e.GetEventType() {
		case enums.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED, enums.EVENT_TYPE_WORKFLOW_TASK_SCHEDULED,
			enums.EVENT_TYPE_WORKFLOW_TASK_STARTED, enums.EVENT_TYPE_WORKFLOW_TASK_FAILED,
			enums.EVENT_TYPE_WORKFLOW_TASK_TIMED_OUT: // on a machine that stands still
		default:
			t.Errorf("it left %s in the history", e.GetEventType())
		}
	}
	if n := len(c.replica.Stats().Writes); n > 0 {
		t.Errorf("%d writes on the replica", n)
	}
}
