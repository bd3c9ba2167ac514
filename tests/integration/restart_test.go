package integration

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/chef-sync/chef-sync/activities"
	"github.com/chef-sync/chef-sync/internal/chefserver"
	"github.com/chef-sync/chef-sync/internal/feed"
	"github.com/chef-sync/chef-sync/internal/object"
	"github.com/chef-sync/chef-sync/internal/plan"
	"github.com/chef-sync/chef-sync/internal/replicate"
	"github.com/chef-sync/chef-sync/internal/replicate/staging"
	"github.com/chef-sync/chef-sync/internal/report"
	"github.com/chef-sync/chef-sync/tests/harness"
	"github.com/chef-sync/chef-sync/workflows"
)

// TestRestartAfterEveryStep has the worker die at each step of a pair's life, one
// life for each step: when an activity begins, when one is done and nobody has
// heard of it, and when the workflow has decided what to do next and nobody has
// heard of it. Another worker takes over, which knows nothing: no workflow is
// cached, and the engine is new. In every second life the disk is lost, too.
//
// CHEF_SYNC_RESTART=all has all lives, which take some minutes; else it is every
// ninth.
//
// In the end the servers are equal, as their insides say, and nothing was written
// more often than in a life without a death.
func TestRestartAfterEveryStep(t *testing.T) {
	if testing.Short() {
		t.Skip("starts ec-syncd with its Temporal server")
	}
	worker.SetStickyWorkflowCacheSize(0)
	// Its Temporal server is all that this ec-syncd is for.
	nobody, nothing := harness.FastChef(t, chefserver.Options{}), harness.FastChef(t, chefserver.Options{})
	c := harness.NewSyncd(t, nobody.Side(), nothing.Side(), "").Temporal(t)
	clean := newMortal(t, c, 0)
	clean.live()
	if t.Failed() {
		return
	}
	t.Logf("a life has %d steps and %d writes", clean.steps, clean.written.WriteTotal())
	stride := 9 // meets all sorts of steps
	if os.Getenv("CHEF_SYNC_RESTART") == "all" {
		stride = 1
	}
	places := make(chan struct{}, 6)
	for k := 1; k <= clean.steps; k += stride {
		t.Run(fmt.Sprint(k), func(t *testing.T) {
			t.Parallel()
			places <- struct{}{}
			defer func() { <-places }()
			m := newMortal(t, c, k)
			m.live()
			again := 0
			for path, n := range m.written.Writes {
				again += max(0, n-clean.written.Writes[path])
			}
			if again > 1 {
				t.Errorf("died at %s: %d writes too many: %v, without a death %v", m.died, again, m.written.Writes, clean.written.Writes)
			}
		})
	}
}

// mortal is a pair whose worker dies at a certain step.
type mortal struct {
	t                *testing.T
	c                client.Client
	primary, replica *harness.ChefServer
	write            *harness.Content
	pair             object.Pair
	written          chefserver.Stats

	mu     sync.Mutex
	dieAt  int // 0 = never
	steps  int
	died   string
	worker worker.Worker
	dead   sync.WaitGroup // workers that are being replaced
	store  *staging.Store
}

func newMortal(t *testing.T, c client.Client, dieAt int) *mortal {
	m := &mortal{t: t, c: c, dieAt: dieAt}
	m.primary = harness.FastChef(t, chefserver.Options{Feed: true})
	m.replica = harness.FastChef(t, chefserver.Options{ConcurrentUploadFails: true})
	m.write = harness.Write(t, m.primary.Client)
	m.pair = object.Pair{Replica: fmt.Sprint("restart", dieAt), Source: harness.Organization, Destination: harness.Organization}
	return m
}

func (m *mortal) must(err error) {
	m.t.Helper()
	if err != nil {
		m.t.Fatal(err)
	}
}

// start starts a worker that knows nothing. It may be called where a worker died,
// so it must not end the test.
func (m *mortal) start() error {
	if m.store == nil || m.dieAt%2 == 0 {
		dir, err := os.MkdirTemp(m.t.TempDir(), "staging-")
		if err != nil {
			return err
		}
		if m.store, err = staging.Open(context.Background(), "file://"+dir); err != nil {
			return err
		}
	}
	e := &replicate.Engine{Primary: m.primary.Client, Replica: m.replica.Client, Staging: m.store, Uploads: &replicate.Uploads{}}
	conn := &activities.Connection{
		Engine: e, Feed: &feed.UpdatedSince{Primary: m.primary.Client, Scope: e.Scope},
		DeleteLimit: plan.DeleteLimit{Percent: plan.NoDeletes, Objects: 3},
	}
	w := worker.New(m.c, workflows.TaskQueue(m.pair.Replica), worker.Options{Interceptors: []interceptor.WorkerInterceptor{&reaper{m: m}}})
	workflows.Register(w)
	activities.Register(w, &activities.Activities{
		Connector: connector{conn}, Log: slog.New(slog.DiscardHandler), Settings: activities.Settings{PollInterval: 100 * time.Millisecond},
	})
	m.worker = w
	return w.Start()
}

// connector is an activities.Connector of one pair.
type connector struct{ conn *activities.Connection }

func (c connector) Connect(context.Context, object.Pair) (*activities.Connection, error) {
	return c.conn, nil
}

// step counts a step, and returns true once: when the worker has to die.
func (m *mortal) step(what string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.steps++
	if m.steps != m.dieAt {
		return false
	}
	m.died = what
	old := m.worker
	m.dead.Add(1)
	go func() {
		defer m.dead.Done()
		old.Stop()
		m.mu.Lock()
		defer m.mu.Unlock()
		if err := m.start(); err != nil {
			m.t.Errorf("start another worker: %v", err)
		}
	}()
	return true
}

func (m *mortal) equal(when string) {
	m.t.Helper()
	var diff []string
	harness.Until(m.t, when+": both servers equal", func() bool {
		diff = harness.Diff(m.t, m.primary, m.replica)
		return len(diff) == 0
	}, func() string { return fmt.Sprintf("died at step %d, %s: %v; %+v", m.dieAt, m.died, diff, m.status()) })
}

func (m *mortal) status() (s workflows.Status) {
	v, err := m.c.QueryWorkflow(m.t.Context(), m.pair.WorkflowID(), "", workflows.QueryStatus)
	if err == nil {
		_ = v.Get(&s)
	}
	return s
}

// live takes the pair through its life: a first comparison, changes, an object that
// is refused at first, deletes that need an operator, a verification, the end.
func (m *mortal) live() {
	ctx, c := m.t.Context(), m.primary.Client
	revision := func(id string) json.RawMessage {
		return harness.PolicyRevision("web", id, "", map[string]string{"app": id})
	}
	files := map[string]string{"recipes/default.rb": "1", "README.md": "readme"}
	for i := range 5 {
		m.write.Role(fmt.Sprint("role", i), "1")
	}
	m.write.Item("users", "root", "1")
	m.write.Cookbook("app", "1.0.0", true, files)
	m.must(harness.PutArtifact(ctx, c, "app", "a1", files))
	m.must(c.PutPointer(ctx, "prod", "web", revision("a1")))
	m.must(m.start())
	o := workflows.StartOptions(m.pair, false)
	_, err := m.c.ExecuteWorkflow(ctx, o, workflows.Name, workflows.SyncInput{Pair: m.pair, Options: workflows.Options{RetryFirst: 300 * time.Millisecond}})
	m.must(err)
	m.equal("bootstrap")

	m.replica.Faults().Add(chefserver.Fault{Method: "PUT", Path: harness.Path("/roles/role0$"), Count: 1, Effect: chefserver.Status(413, `{"error":["too large"]}`)})
	m.write.Role("role0", "2")
	m.write.Item("users", "new", "1")
	m.must(harness.PutArtifact(ctx, c, "app", "a2", map[string]string{"recipes/default.rb": "2", "README.md": "readme"}))
	m.must(c.PutPointer(ctx, "prod", "web", revision("a2")))
	m.must(c.DeletePolicyRevision(ctx, "web", "a1"))
	m.must(c.DeleteArtifact(ctx, "app", "a1"))
	m.equal("changes")

	for i := range 4 {
		m.must(c.DeleteRole(ctx, fmt.Sprint("role", i+1)))
	}
	var s workflows.Status
	harness.Until(m.t, "halted", func() bool {
		s = m.status()
		return s.Mode == workflows.ModeHalted || len(harness.Diff(m.t, m.primary, m.replica)) == 0
	},
		func() string { return fmt.Sprintf("died at step %d, %s: %+v", m.dieAt, m.died, s) })
	m.must(m.c.SignalWorkflow(ctx, m.pair.WorkflowID(), "", workflows.SignalApproveDeletes, nil))
	m.equal("deletes")

	run, err := m.c.ExecuteWorkflow(ctx, client.StartWorkflowOptions{ID: m.pair.WorkflowID() + "/verify", TaskQueue: workflows.TaskQueue(m.pair.Replica)},
		workflows.VerifyName, workflows.VerifyInput{Pair: m.pair, Settle: 100 * time.Millisecond})
	m.must(err)
	var got report.Report
	m.must(run.Get(ctx, &got))
	if got.Verdict != report.Equal {
		m.t.Errorf("verified: %+v; want in sync", got)
	}
	m.must(m.c.SignalWorkflow(ctx, m.pair.WorkflowID(), "", workflows.SignalRemove, nil))
	m.must(m.c.GetWorkflow(ctx, m.pair.WorkflowID(), "").Get(ctx, nil))
	m.dead.Wait()
	m.mu.Lock()
	defer m.mu.Unlock()
	m.worker.Stop()
	m.written = m.replica.Stats()
	if diff := harness.Diff(m.t, m.primary, m.replica); len(diff) > 0 {
		m.t.Errorf("died at step %d, %s: %s", m.dieAt, m.died, strings.Join(diff, "\n"))
	}
}

// reaper counts the steps of a worker, and ends it.
type reaper struct {
	interceptor.WorkerInterceptorBase
	m *mortal
}

func (r *reaper) InterceptActivity(_ context.Context, next interceptor.ActivityInboundInterceptor) interceptor.ActivityInboundInterceptor {
	return &deadActivity{interceptor.ActivityInboundInterceptorBase{Next: next}, r.m}
}

func (r *reaper) InterceptWorkflow(_ workflow.Context, next interceptor.WorkflowInboundInterceptor) interceptor.WorkflowInboundInterceptor {
	return &deadWorkflow{interceptor.WorkflowInboundInterceptorBase{Next: next}, r.m}
}

type deadActivity struct {
	interceptor.ActivityInboundInterceptorBase
	m *mortal
}

// died is what Temporal hears of the activity of a worker that died; at once and
// not when its heartbeat is missed.
func died() error {
	return temporal.NewApplicationErrorWithOptions("the worker died", "Died", temporal.ApplicationErrorOptions{NextRetryDelay: 10 * time.Millisecond})
}

func (a *deadActivity) ExecuteActivity(ctx context.Context, in *interceptor.ExecuteActivityInput) (any, error) {
	name := activity.GetInfo(ctx).ActivityType.Name
	if idle := name == activities.NamePoll; !idle && a.m.step("beginning of "+name) {
		return nil, died()
	}
	out, err := a.Next.ExecuteActivity(ctx, in)
	if err == nil && a.m.step("end of "+name) { // a poll that finds nothing new is no step: there are as many as time allows
		return nil, died()
	}
	return out, err
}

type deadWorkflow struct {
	interceptor.WorkflowInboundInterceptorBase
	m *mortal
}

func (w *deadWorkflow) Init(out interceptor.WorkflowOutboundInterceptor) error {
	return w.Next.Init(&deadDecision{interceptor.WorkflowOutboundInterceptorBase{Next: out}, w.m})
}

type deadDecision struct {
	interceptor.WorkflowOutboundInterceptorBase
	m *mortal
}

// ExecuteActivity panics if the worker dies here: the server gives the workflow
// task to another, as it does when nobody answers, but at once.
func (d *deadDecision) ExecuteActivity(ctx workflow.Context, name string, args ...any) workflow.Future {
	if !workflow.IsReplaying(ctx) && d.m.step("decision to "+name) {
		panic("the worker died")
	}
	return d.Next.ExecuteActivity(ctx, name, args...)
}
